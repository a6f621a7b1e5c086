"""Memory does not grow with the number of records, whatever the format."""

from __future__ import annotations

import subprocess
import sys

import pytest

RUN = """
import re, sys
from pathlib import Path
from batchmill import Job, run

async def task(record):
    return {"n": len(record)}

folder, kind, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
line = {"csv": '1,"a\\nb"\\n', "text": "line\\n", "fixed": "12345678"}[kind]
for part in range(3):
    with open(folder / f"{count}-{part}.in", "w") as file:
        file.write("id,n\\n" if kind == "csv" else "")
        for _ in range(count // 3):
            file.write(line)
options = {"record_bytes": 8} if kind == "fixed" else {}
report = run(Job(source=folder / f"{count}-?.in", source_format=kind, source_options=options,
                 task=task, sink=folder / f"{count}.out.jsonl", commit_every_s=0.05))
assert report.succeeded == count, report
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
SOME, MANY = 30_000, 300_000
MARGIN_KB = 10 * 1024


def peak_kb(folder, kind, count):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder), kind, str(count)],
        capture_output=True, check=True, text=True, timeout=120,
    )  # fmt: skip
    return int(done.stdout)


@pytest.mark.parametrize("kind", ["csv", "text", "fixed"])
def test_ten_times_as_many_records_need_no_more_memory(tmp_path, kind):
    some, many = peak_kb(tmp_path, kind, SOME), peak_kb(tmp_path, kind, MANY)

    assert many - some < MARGIN_KB
    assert many < 90 * 1024
