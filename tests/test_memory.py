"""Memory does not grow with the number of records."""

from __future__ import annotations

import subprocess
import sys

RUN = """
import re, sys
from pathlib import Path
from batchmill import Job, run

async def task(record):
    return record

folder, count = Path(sys.argv[1]), int(sys.argv[2])
source = folder / f"{count}.jsonl"
with open(source, "w") as file:
    for n in range(count):
        file.write('{"id":%d}\\n' % n)
report = run(Job(source=source, task=task, sink=folder / f"{count}.out.jsonl", commit_every_s=0.05))
assert report.succeeded == count, report
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
SOME, MANY = 30_000, 300_000
MARGIN_KB = 10 * 1024


def peak_kb(folder, count):
    """The most memory that a process of its own needed. Not by ru_maxrss, which begins in a child
    with what its parent had."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder), str(count)],
        capture_output=True, check=True, text=True, timeout=120,
    )  # fmt: skip
    return int(done.stdout)


def test_ten_times_as_many_records_need_no_more_memory(tmp_path):
    some, many = peak_kb(tmp_path, SOME), peak_kb(tmp_path, MANY)

    assert many - some < MARGIN_KB
    assert many < 80 * 1024
