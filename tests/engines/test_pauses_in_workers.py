"""Rate and pause hold where calls begin, measured inside the task."""

from __future__ import annotations

import pytest

from batchmill import Retry
from faults.conftest import little

__all__ = ["little"]

TASK = """\
import asyncio, os, time, batchmill

def note(what):
    notes = os.open("notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(notes, f"{{what}} {{os.getpid()}} {{time.monotonic()}}\\n".encode())
    os.close(notes)

{startup}

{define} process_record(record):
    note("call")
    if record["id"] == 200 and not os.path.exists("told"):
        open("told", "w").close()
        note("told")
        raise batchmill.RetryAfter(1.0)
    {work}
    return record
"""
WORK = {"def": "time.sleep(0.002)", "async def": "await asyncio.sleep(0.002)"}


@pytest.fixture
def noted(little, monkeypatch):
    """Runs a task that notes when its calls begin; returns (what, pid, when)."""
    monkeypatch.chdir(little.folder)

    def run(define="def", work=None, startup="", records=600, **options):
        text = TASK.format(define=define, work=work or WORK[define], startup=startup)
        (little.folder / "task.py").write_text(text)
        little.write(*({"id": n} for n in range(records)))
        report = little.run("task.py", engine="process", workers=2, **options)
        assert "completed" == report.state
        lines = map(str.split, (little.folder / "notes").read_text().splitlines())
        return [(what, int(pid), float(at)) for what, pid, at in lines]

    return run


@pytest.mark.parametrize("define", WORK)
@pytest.mark.parametrize("work", [None, "pass"], ids=["slow", "quick"])
def test_no_call_begins_in_a_pause(noted, define, work):
    notes = noted(define, work, retry=Retry(wait_min_s=0.0, wait_max_s=0.0), records=6000)

    ((_, teller, told_at),) = [each for each in notes if each[0] == "told"]
    within = [(pid, at) for what, pid, at in notes
              if what == "call" and told_at < at < told_at + 0.95]  # fmt: skip
    assert [] == [at for pid, at in within if pid == teller]
    # The others hear of it in the time that a failure takes to be noted.
    assert [] == [at for _, at in within if at > told_at + 0.05]


def test_no_window_has_more_starts_than_the_rate_although_a_worker_is_replaced(noted):
    startup = """\
def on_startup(): time.sleep(0.5)
"""
    work = """\
if record["id"] == 10 and not os.path.exists("died"):
        open("died", "w").close()
        os._exit(9)
    await asyncio.sleep(0.01)"""
    notes = noted("async def", work, startup, records=50, rate="20/s", concurrency=30)

    starts = sorted(at for _, _, at in notes)
    # A start is noted a moment after it was made.
    assert max(sum(at <= each < at + 0.99 for each in starts) for at in starts) <= 20
