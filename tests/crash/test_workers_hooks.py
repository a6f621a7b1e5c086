"""on_startup and on_shutdown in worker processes that raise, end their process, or hang."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import environment
from crash.workers import outlived, wait_until, workers_of
from faults.conftest import little

__all__ = ["little"]

HOOKS = """\
import ctypes, os, signal, sys, time

def note(what):
    with open("notes", "a") as file:
        file.write(f"{{what}} {{os.getpid()}}\\n")

def on_startup():
    note("start")
    {startup}
    return {{"n": 1}}

def on_shutdown(context):
    note("shutdown")
    {shutdown}

def process_record(record, context):
    {call}
    return record
"""


@pytest.fixture
def hooked(little, monkeypatch):
    """Writes a task with these statements in its hooks, and a source of so many records."""
    monkeypatch.chdir(little.folder)

    def write(*, startup="pass", shutdown="pass", call="pass", records=60):
        text = HOOKS.format(startup=startup, shutdown=shutdown, call=call)
        Path("task.py").write_text(text)
        little.write(*({"id": n} for n in range(records)))
        return little

    return write


def run(little, **options):
    return little.run("task.py", engine="process", workers=2, **options)


def noted() -> list[tuple[str, int]]:
    """What the hooks have noted: which of them ran, and in which process."""
    pairs = (line.split() for line in Path("notes").read_text().splitlines())
    return [(what, int(pid)) for what, pid in pairs]


def test_each_worker_is_started_up_and_shut_down_once(hooked):
    report = run(hooked())

    notes = noted()
    assert "completed" == report.state
    assert ["shutdown", "shutdown", "start", "start"] == sorted(what for what, _ in notes)
    assert 2 == len({pid for _, pid in notes} - {os.getpid()})


@pytest.mark.parametrize(
    ("startup", "reason"),
    [
        ("raise ValueError('no')", "on_startup failed: ValueError: no"),
        ("sys.exit(5)", "on_startup failed: SystemExit: 5"),
        ("os._exit(5)", "a worker process ended itself with exit code 5 in its on_startup"),
        ("os._exit(0)", "a worker process ended itself with exit code 0 in its on_startup"),
        ("ctypes.string_at(0)", "a worker process was killed by SIGSEGV in its on_startup"),
        ("return 5", "on_startup returned int, which is no context"),
    ],
)
def test_a_worker_that_cannot_be_started_up_ends_the_run_before_any_call(hooked, startup, reason):
    little = hooked(startup=startup)

    report = run(little)

    assert ("aborted", 0, 0) == (report.state, report.called, report.failed)
    assert reason == report.reason.splitlines()[0]
    assert [] == outlived({pid for _, pid in noted()})


@pytest.mark.parametrize(
    ("shutdown", "reason"),
    [
        ("raise ValueError('no')", "on_shutdown failed: ValueError: no"),
        ("os._exit(4)", "a worker process ended itself with exit code 4 in its on_shutdown"),
        ("ctypes.string_at(0)", "a worker process was killed by SIGSEGV in its on_shutdown"),
    ],
)
def test_a_worker_that_cannot_be_shut_down_is_told_after_everything_is_committed(
    hooked, shutdown, reason
):
    little = hooked(shutdown=shutdown)

    report = run(little)

    assert ("aborted", 60) == (report.state, report.succeeded)
    assert reason == report.reason.splitlines()[0]
    assert 60 == len(little.results())
    assert 2 == sum(what == "shutdown" for what, _ in noted())


DRIVER = """\
import sys
from batchmill import Job, run

class Heard:
    def on_event(self, event):
        if getattr(event, "message", "").startswith("stopping: "):
            open("heard", "w").close()

report = run(Job(source="in.jsonl", task="task.py", sink="out.jsonl", engine="process", workers=2),
             observers=[Heard()])
sys.exit(report.exit_code)
"""
FIRST_TWO_START = "if open('notes').read().count('start') > 2: time.sleep(3600)"


@pytest.mark.parametrize(
    ("hooks", "until"),
    [
        ({"startup": "time.sleep(3600)"}, "start 2"),
        ({"startup": FIRST_TWO_START, "call": "os._exit(1)"}, "start 3"),
        ({"shutdown": "time.sleep(3600)"}, "shutdown 2"),
    ],
    ids=["on_startup", "on_startup of a replacement", "on_shutdown"],
)
def test_a_hook_that_hangs_is_given_up_at_the_second_interrupt(hooked, hooks, until):
    hooked(**hooks)
    what, count = until.split()
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], env=environment(), stderr=subprocess.PIPE
    )
    with driver:
        wait_until(lambda: Path("notes").exists() and Path("notes").read_text().count(what)
                   >= int(count))  # fmt: skip
        workers = workers_of(driver.pid)

        driver.terminate()
        wait_until(Path("heard").exists)
        driver.terminate()

        assert 143 == driver.wait(20)
        assert b"Traceback" not in driver.stderr.read()
    assert [] == outlived(workers)
