"""kill -9 of worker processes, again and again: no record is lost, doubled, or charged for it."""

from __future__ import annotations

from collections import Counter

import pytest

from batchmill.cli.app import invoke
from batchmill.engines.crew import STARTS
from crash.workers import Killer
from faults.conftest import little

__all__ = ["little"]

RECORDS_PER_KILL = 200

TASK = """\
import os, time
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

{define} process_record(record):
    os.write(notes, b"%07d\\n" % record["id"])
    {wait}
    if record["id"] % 50 == 7:
        raise ValueError("bad")
    return {{"id": record["id"]}}
"""
PLAIN = {"define": "def", "wait": "time.sleep(0.002)"}
ASYNC = {"define": "import asyncio\nasync def", "wait": "await asyncio.sleep(0.02)"}


@pytest.mark.parametrize(("kind", "kills"), [(PLAIN, 15), (ASYNC, 7)], ids=["plain", "async"])
def test_workers_that_are_killed_again_and_again_cost_no_record_anything(little, kind, kills):
    count = kills * RECORDS_PER_KILL
    notes = little.folder / "calls"
    task = little.folder / "task.py"
    task.write_text(TASK.format(notes=str(notes), **kind))
    little.write(*({"id": n} for n in range(count)))

    with Killer(notes, kills, RECORDS_PER_KILL, seed=1) as killer:
        report = little.run(str(task), engine="process", workers=2, concurrency=20)

    assert kills == killer.kills
    assert ("completed", 0) == (report.state, report.pending)
    letters = little.letters()
    calls = Counter(map(int, notes.read_bytes().split()))
    blamed = {each["seq"] for each in letters if each["error"]["type"] == "WorkerDied"}
    assert all(calls[seq] >= 3 for seq in blamed)
    # A call may be ended between the moment when it begins and its note.
    more = {each["attempts"] - calls[each["seq"]] for each in letters if each["seq"] not in blamed}
    assert more <= {0, 1}
    bad = {n for n in range(count) if n % 50 == 7}
    assert bad | blamed == {each["seq"] for each in letters}
    ids = sorted(each["id"] for each in little.results())
    assert ids == [n for n in range(count) if n not in bad | blamed]
    assert 0 == invoke(["verify", str(little.output)])


KILLED_AT_ITS_START = """\
import os, pathlib, signal
starts = pathlib.Path({starts!r})
with starts.open("a") as file:
    file.write("x")
if 2 <= len(starts.read_text()) <= {last}:
    os.kill(os.getpid(), signal.SIGKILL)

def process_record(record):
    return record
"""


@pytest.fixture
def killed_at_its_start(little):
    """Runs a task that kills its worker while it is imported, so often; the report, and how often
    it was imported, first of all by the driver."""

    def run(times):
        starts = little.folder / "starts"
        task = little.folder / "task.py"
        task.write_text(KILLED_AT_ITS_START.format(starts=str(starts), last=times + 1))
        little.write({"id": 0})
        report = little.run(str(task), engine="process", workers=1)
        return report, len(starts.read_text())

    return run


def test_a_worker_that_is_killed_while_it_starts_is_started_again(killed_at_its_start):
    report, imports = killed_at_its_start(2)

    assert ("completed", 1) == (report.state, report.succeeded)
    assert 1 + 2 + 1 == imports


def test_a_worker_that_is_killed_at_every_start_ends_the_run(killed_at_its_start):
    report, imports = killed_at_its_start(99)

    assert ("aborted", 0) == (report.state, report.failed)
    assert "was killed by SIGKILL" in report.reason
    assert "hint: fewer workers" in report.reason
    assert 1 + STARTS == imports
