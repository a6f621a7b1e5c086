"""All figures of the README, one after the other: python benchmarks/bench.py [--quick]

Each is a program of its own, with its conditions in its docstring; they print ratios against a
reference that runs in turn with ours, for machines are shared and their speed drifts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

FULL = [
    ["job_loop.py", "--rounds", "5"],
    ["job_loop.py", "--memory"],
    ["http_calls.py", "--rounds", "3"],
    ["resume.py"],
    ["kills.py"],
    ["batchers.py"],
    ["computing.py", "--peers"],
    ["computing.py", "--noop", "--lines", "2000000"],
    ["csv_loop.py"],
    ["csv_loop.py", "--memory"],
    ["worker_kills.py"],
    ["poison.py"],
]
QUICK = [
    ["job_loop.py", "--lines", "200000", "--rounds", "3"],
    ["http_calls.py", "--calls", "4000", "--rounds", "1"],
    ["resume.py", "--lines", "200000"],
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first look, in a minute")
    programs = QUICK if parser.parse_args().quick else FULL
    failed = 0
    for name, *options in programs:
        print(f"== {name} {' '.join(options)}", flush=True)
        program = [sys.executable, str(HERE / name), *options]
        failed += subprocess.run(program, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
