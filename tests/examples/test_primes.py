"""The example: primes counted on every core, and a record that kills its worker."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import environment, start

EXAMPLE = Path(__file__).parents[2] / "examples" / "primes"
RANGES = 100
BELOW_100_000 = 9_592


@pytest.fixture
def folder(tmp_path):
    for name in ("in_memory.py", "job.toml", "make_input.py", "task.py"):
        shutil.copy(EXAMPLE / name, tmp_path)
    return tmp_path


def python(folder, *words):
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(
        command, cwd=folder, env=environment(), check=True, capture_output=True, text=True
    )
    return done.stdout


def run(folder):
    """The exit code of the command, and the rows of its output."""
    process = start("run", folder / "job.toml", "--progress", "none", stdout=subprocess.DEVNULL)
    code = process.wait(timeout=60)
    return code, rows(folder / "primes.jsonl")


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_primes_are_counted_in_the_order_of_the_ranges(folder):
    python(folder, "make_input.py", "--ranges", RANGES, "--output", "ranges.jsonl")

    code, counted = run(folder)

    assert code == 0
    assert counted[0] == {"first": 0, "last": 999, "primes": 168}
    assert [row["first"] for row in counted] == [n * 1_000 for n in range(RANGES)]
    assert sum(row["primes"] for row in counted) == BELOW_100_000


def test_a_range_that_kills_its_worker_is_named_and_costs_no_other(folder):
    python(folder, "make_input.py", "--ranges", RANGES, "--poison")

    code, counted = run(folder)

    [letter] = rows(folder / "primes.errors.jsonl")
    assert code == 3
    assert len(counted) == RANGES - 1
    assert letter["record"] == {"first": 50_000, "last": 50_999, "poison": True}
    assert letter["error"]["type"] == "WorkerDied"
    assert "SIGKILL" in letter["error"]["message"]


def test_the_same_without_files(folder):
    told = python(folder, "in_memory.py").splitlines()

    assert told == [
        "25 primes below 100",
        "168 primes below 1,000",
        "1,229 primes below 10,000",
        "9,592 primes below 100,000",
    ]
