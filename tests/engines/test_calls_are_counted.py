"""Each call is counted once, whatever comes of it: by the report, the dead letters and the task."""

from __future__ import annotations

from collections import Counter

import pytest

from batchmill import Retry
from faults.conftest import little

__all__ = ["little"]

TASK = """\
import ctypes, os, signal, time

def begin(*ids):
    notes = os.open("calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(notes, "".join(f"{n} " for n in ids).encode() + b"\\n")
    os.close(notes)

def process_record(record):
    begin(record["id"])
    if record["id"] == 30:
        %s
    return record

def process_batch(records):
    begin(*(record["id"] for record in records))
    if any(record["id"] == 30 for record in records):
        %s
    return records
"""


@pytest.fixture
def counted(little, monkeypatch):
    """Runs a task whose record 30 does this; returns the report and its calls as it knows them."""
    monkeypatch.chdir(little.folder)

    def run(act, function="process_record", **options):
        (little.folder / "task.py").write_text(TASK % (act, act))
        little.write(*({"id": n} for n in range(60)))
        options = {"retry": Retry(max_attempts=2, wait_min_s=0.0, wait_max_s=0.0)} | options
        report = little.run(f"task.py:{function}", engine="process", workers=2, **options)
        lines = (little.folder / "calls").read_text().splitlines()
        return report, lines, Counter(int(n) for line in lines for n in line.split())

    return run


@pytest.mark.parametrize("batch", [None, 8])
@pytest.mark.parametrize(
    ("act", "error"),
    [("os._exit(3)", "WorkerDied"), ("time.sleep(60)", "TimedOut"), ("1 / 0", "ZeroDivisionError")],
)
def test_report_dead_letters_and_task_agree(little, counted, act, error, batch):
    how = {"function": "process_batch", "batch_size": batch} if batch else {}
    report, lines, held = counted(act, timeout_s=0.5, **how)

    (letter,) = little.letters()
    assert (30, error) == (letter["seq"], letter["error"]["type"])
    assert len(lines) == report.called
    if not batch:
        assert held[30] == letter["attempts"]
