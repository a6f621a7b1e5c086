"""Workers that write into our pipes, stand still, cannot be started, or tell broken text."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import threading
import time
from unittest.mock import Mock

import pytest

import batchmill
from batchmill.engines.process import Process
from batchmill.engines.wire import Closing
from crash.workers import wait_until, workers_of
from faults.conftest import little

__all__ = ["little"]

TASK = """\
import asyncio, os, signal, stat, sys, time

def once():
    try:
        os.close(os.open("once", os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False

def into_pipes(data):
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if fd > 2 and stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, data)
        except OSError:
            pass

{startup}

{define} process_record(record):
    if record["id"] == 50 and once():
        {act}
    return record
"""


@pytest.fixture
def troubled(little, monkeypatch):
    """Runs a task of which one call does this, once."""
    monkeypatch.chdir(little.folder)

    def run(act="pass", define="def", startup="", records=300, **options):
        text = TASK.format(act=act, define=define, startup=startup)
        (little.folder / "task.py").write_text(text)
        little.write(*({"id": n} for n in range(records)))
        return little.run("task.py", engine="process", workers=2, **options)

    return run


@pytest.mark.parametrize("define", ["def", "async def"])
@pytest.mark.parametrize(
    "data", ["b'x'", "b'\\x00\\x00\\x00\\x05hello'", "b'\\xff' * 100", "bytes(1000)"]
)
def test_a_worker_whose_pipe_was_written_into_is_replaced(little, troubled, define, data):
    report = troubled(f"into_pipes({data})", define)

    assert ("completed", 300) == (report.state, report.succeeded)
    assert list(range(300)) == sorted(result["id"] for result in little.results())


def test_a_task_finds_none_of_our_pipes_among_the_first_files(little, troubled):
    report = troubled("""\
for fd in range(3, 256):
            try:
                os.fstat(fd)
            except OSError:
                continue
            assert not stat.S_ISFIFO(os.fstat(fd).st_mode), fd
            assert not os.get_inheritable(fd), fd""")

    assert 300 == report.succeeded


def test_a_worker_that_is_stopped_in_a_call_is_found_by_the_time_limit(troubled):
    report = troubled("os.kill(os.getpid(), signal.SIGSTOP)", timeout_s=0.5)

    assert ("completed", 300) == (report.state, report.succeeded)


def test_a_worker_that_stands_still_between_two_calls_is_found_too(little, troubled):
    # It stops when its calls have ended, and before it has answered.
    startup = """\
class Stopping(dict):
    pass
import batchmill.engines.lane as lane
answer = lane.Lane._answer
def stopping(self):
    if self._portion is not None and 50 in self._portion.seqs and once():
        os.kill(os.getpid(), signal.SIGSTOP)
    answer(self)
lane.Lane._answer = stopping
"""
    report = troubled(startup=startup, timeout_s=0.3)

    assert ("completed", 300) == (report.state, report.succeeded)


def test_two_signals_end_a_run_whose_worker_is_stopped(little, troubled):
    def stop_and_interrupt():
        wait_until(lambda: (little.folder / "once").exists() and little_stopped())
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    def little_stopped():
        return any(_state(pid) == "T" for pid in workers_of(os.getpid()))

    threading.Thread(target=stop_and_interrupt, daemon=True).start()
    began = time.monotonic()
    report = troubled("os.kill(os.getpid(), signal.SIGSTOP)", grace_s=60.0)

    assert "incomplete" == report.state
    assert time.monotonic() - began < 30
    assert [] == workers_of(os.getpid())


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGHUP"])
def test_a_worker_that_is_killed_while_it_starts_is_started_again(troubled, number):
    startup = f"""\
def on_startup():
    if once():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.{number})
"""
    report = troubled(startup=startup)

    assert ("completed", 300) == (report.state, report.succeeded)


@pytest.fixture
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
def test_why_there_is_no_interpreter_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    with pytest.raises(batchmill.BatchmillError, match=r"cannot be started.*/nonexistent/python"):
        list(batchmill.map(abs, range(3), engine="process", workers=4))


@pytest.mark.usefixtures("quiet")
def test_too_few_files_are_called_so_and_none_is_left_open():
    before, limits = set(os.listdir("/proc/self/fd")), resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in range(len(before) + 6, len(before) + 22, 3):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, limits[1]))
        try:
            with pytest.raises((batchmill.BatchmillError, OSError), match=r"(?s)open files"):
                list(batchmill.map(abs, range(3), engine="process", workers=12))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert [] == workers_of(os.getpid())
    assert len(os.listdir("/proc/self/fd")) <= len(before)


BROKEN = {
    "a message": "raise ValueError('caf\\udce9')",
    "a class": "raise type('Caf\\udce9', (Exception,), {})()",
    "a huge message": "raise ValueError('\\udce9' * 10_000_000)",
    "a print": "print('caf\\udce9')",
    "a result": "return {'x': 'caf\\udce9'}",
    "a key": "return {'caf\\udce9': 1}",
    "a batchmill error": "raise batchmill.Permanent('caf\\udce9')",
}


@pytest.mark.parametrize("act", BROKEN.values(), ids=BROKEN)
def test_no_text_however_broken_ends_a_worker(little, troubled, act, monkeypatch):
    monkeypatch.setenv("CAFE", "caf\udce9")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    report = troubled(act, startup="import batchmill")

    failed = little.failed()
    assert ("completed", 299) == (report.state, report.succeeded)
    assert [50] == list(failed)
    assert "WorkerDied" not in failed.values()


def test_text_of_a_hook_that_cannot_be_encoded_is_told(little, troubled):
    startup = "def on_startup(): raise ValueError('caf\\udce9')"

    report = troubled(startup=startup)

    assert "on_startup failed: ValueError: caf\\udce9" in report.reason


@pytest.mark.parametrize("error", ["ConnectionError", "MemoryError", "ValueError"])
def test_a_coroutine_that_fails_in_the_background_ends_no_worker(troubled, error):
    startup = f"""\
import gc
async def audit(): raise {error}("the log is down")
"""
    act = "asyncio.create_task(audit()); await asyncio.sleep(0.01); gc.collect()"

    report = troubled(act, "async def", startup)

    assert ("completed", 300, 300) == (report.state, report.succeeded, report.called)


def test_a_cancelling_that_comes_with_the_answer_of_a_worker_that_closes_is_heeded(monkeypatch):
    class Closes(Process):
        """Answers that it shuts the task down, and never that it has."""

        def __init__(self):
            loop = asyncio.get_running_loop()
            self._closing, self._ended, self._ready = (loop.create_future() for _ in range(3))
            self._ready.set_result(None)
            self._writer, self._over, self._lanes = Mock(), False, 0

        def kill(self):
            self._over = True

    async def scenario():
        worker = Closes()
        closing = asyncio.create_task(worker.close())
        await asyncio.sleep(0)
        worker.told(Closing())
        closing.cancel()
        await asyncio.wait({closing}, timeout=10)
        return closing.cancelled(), worker.alive

    assert (True, False) == asyncio.run(scenario())
