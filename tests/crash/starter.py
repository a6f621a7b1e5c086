"""Where do the processes of the crash tests come from? From one that has imported everything."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCES = str(HERE.parents[1] / "src")
DEADLINE_S = 30.0
"""How long a run of these small jobs may take before it counts as hung."""


@functools.cache
def shim() -> Path:
    """The library that breaks system calls, compiled once for each process of the tests."""
    folder = tempfile.mkdtemp(prefix="shim-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = Path(folder) / "shim.so"
    command = ["gcc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "shim.c"]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return library


class Zygote:
    """The process that forks the runs (zygote.py)."""

    def __init__(self) -> None:
        paths = [SOURCES, str(HERE.parent)]
        environment = {**os.environ, "LD_PRELOAD": str(shim()), "PYTHONPATH": ":".join(paths)}
        self._process = subprocess.Popen(
            [sys.executable, HERE / "zygote.py"], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE,
        )  # fmt: skip

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(DEADLINE_S)
        assert self._process.stdout
        self._process.stdout.close()


@functools.cache
def zygote() -> Zygote:
    """One for each process of the tests; it imports everything just once."""
    it = Zygote()
    atexit.register(it.close)
    return it
