"""Type checkers know what goes in and what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

PROGRAM = Path(__file__).parent.parent / "typing" / "batcher_types.py"
SOURCES = Path(__file__).parent.parent.parent / "src"


def test_a_type_checker_finds_each_marked_line_and_no_other(tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent",
               "--config-file", os.devnull, "--cache-dir", str(tmp_path), str(PROGRAM)]  # fmt: skip
    environment = {**os.environ, "MYPYPATH": str(SOURCES)}

    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    lines = PROGRAM.read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    found = {int(line.split(":")[1]) for line in run.stdout.splitlines() if PROGRAM.name in line}
    assert marked == found, run.stdout
