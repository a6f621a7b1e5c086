"""Tasks that raise what nobody raises, hang, or meddle."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from batchmill.engines import loop_slot
from faults.little import adds_up

ENGINES = ["async", "thread"]


class Strange(BaseException):
    """None of the exceptions that one usually catches."""


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError("no message")


class NoText(Exception):
    def __str__(self):
        return 5  # noqa: PLE0307 - that is what is wrong with it


class Trap(Exception):
    """Looking at it hurts."""

    @property
    def response(self):
        raise RuntimeError("no response has been set")

    @property
    def status(self):
        raise KeyError("status")


class Headers:
    def get(self, name):
        raise TypeError("no headers")


class BadHeaders(Exception):
    headers = Headers()


class BadDate(Exception):
    status = 503

    def __init__(self, date):
        super().__init__(date)
        self.headers = {"Retry-After": date}


def looped():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    return one


RAISED = {
    "BaseException": lambda: BaseException("base"),
    "a subclass of it": lambda: Strange("strange"),
    "CancelledError": asyncio.CancelledError,
    "StopIteration": lambda: StopIteration(5),
    "StopAsyncIteration": lambda: StopAsyncIteration(5),
    "GeneratorExit": GeneratorExit,
    "SystemExit": lambda: SystemExit(7),
    "MemoryError": MemoryError,
    "RecursionError": lambda: RecursionError("deep"),
    "a group": lambda: BaseExceptionGroup("both", [ValueError("a"), Strange("b")]),
    "one without a message": Unreadable,
    "one whose message is no text": NoText,
    "one that cannot be looked at": Trap,
    "one with bad headers": BadHeaders,
    "half a surrogate pair": lambda: ValueError("\ud800"),
    "a NUL": lambda: ValueError("a\0b"),
    "a very long message": lambda: ValueError("x" * 10_000_000),
    "a message of many lines": lambda: ValueError("a\r\nb\n\x1b[31mred\x1b[0m"),
    "one that causes itself": looped,
    "a bad date": lambda: BadDate("Mon, 01 Jan 99999 00:00:00 GMT"),
    "a bad zone": lambda: BadDate("Mon, 01 Jan 2024 00:00:00 +99999999999999999999"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [*RAISED])
def test_whatever_a_task_raises_is_the_dead_letter_of_that_record(little, name, engine):
    little.write(*[{"id": n} for n in range(5)])

    def task(record):
        if record["id"] == 2:
            raise RAISED[name]()
        return record

    report = run(little, task, engine, concurrency=2)

    assert (report.state, report.exit_code) == ("completed", 3)
    assert (report.succeeded, report.failed, report.pending) == (4, 1, 0)
    assert [letter["record"] for letter in little.letters()] == [{"id": 2}]
    assert len(little.letters()[0]["error"]["message"]) <= 4096
    again = little.run()
    assert (again.succeeded, again.failed) == (5, 0)
    assert sorted(r["id"] for r in little.results()) == [0, 1, 2, 3, 4]
    assert little.letters() == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_keyboard_interrupt_stops_the_run_and_leaves_the_record_pending(little, engine):
    little.write(*[{"id": n} for n in range(200)])

    def task(record):
        if record["id"] == 2:
            raise KeyboardInterrupt
        time.sleep(0.001)
        return record

    report = run(little, task, engine, concurrency=2)

    assert report.state == "incomplete"
    assert report.failed == 0
    assert report.pending >= 1
    assert report.succeeded < 200
    assert 2 not in [r["id"] for r in little.results()]
    assert little.run().state == "completed"
    assert sorted(r["id"] for r in little.results()) == list(range(200))


def run(little, task, engine, **options):
    async def coroutine(record):
        return task(record)

    return little.run(coroutine if engine == "async" else task, engine=engine, **options)


# Tasks that hang.


def test_a_coroutine_that_hangs_is_given_up_and_the_others_go_on(little):
    little.write(*[{"id": n} for n in range(6)])

    async def task(record):
        if record["id"] == 1:
            await asyncio.sleep(600)
        return record

    report = little.run(task, timeout_s=0.1, concurrency=2)

    assert (report.state, report.succeeded, report.failed) == ("completed", 5, 1)
    assert little.failed() == {1: "TimedOut"}
    assert little.letters()[0]["attempts"] == 3


def test_a_thread_that_hangs_is_left_behind_and_its_result_thrown_away(little):
    little.write(*[{"id": n} for n in range(6)])
    release = threading.Event()

    def task(record):
        if record["id"] == 1:
            release.wait(60)
        return record

    try:
        report = little.run(task, timeout_s=0.1, concurrency=2)
    finally:
        release.set()

    assert (report.state, report.succeeded, report.failed) == ("completed", 5, 1)
    assert little.failed() == {1: "TimedOut"}
    assert sorted(r["id"] for r in little.results()) == [0, 2, 3, 4, 5]


def test_every_thread_may_hang_and_the_others_are_called_nevertheless(little):
    little.write(*[{"id": n} for n in range(8)])
    release = threading.Event()

    def task(record):
        if record["id"] < 4:
            release.wait(60)
        return record

    try:
        report = little.run(task, timeout_s=0.1, concurrency=2)
    finally:
        release.set()

    assert (report.succeeded, report.failed) == (4, 4)


def test_a_coroutine_that_swallows_its_cancellation_is_abandoned(little, monkeypatch):
    monkeypatch.setattr(loop_slot, "STUBBORN_S", 0.1)
    little.write(*[{"id": n} for n in range(6)])
    release = []

    async def task(record):
        while record["id"] == 1 and not release:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return record

    report = little.run(task, timeout_s=0.1, concurrency=2)

    assert (report.state, report.succeeded, report.failed) == ("completed", 5, 1)
    assert little.failed() == {1: "TimedOut"}
    release.append(True)


@pytest.mark.parametrize("timeout_s", [None, 0.2])
def test_a_stop_ends_the_run_although_a_coroutine_swallows_its_cancellation(
    little, monkeypatch, timeout_s
):
    monkeypatch.setattr(loop_slot, "STUBBORN_S", 0.1)
    little.write(*[{"id": n} for n in range(6)])
    ended = time.monotonic() + 8.0
    """After that the task lets go, so that a run which waits for it fails and does not hang."""

    async def task(record):
        if record["id"] == 3:
            raise KeyboardInterrupt
        while record["id"] == 1 and time.monotonic() < ended:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return record

    report = little.run(task, timeout_s=timeout_s, concurrency=2, grace_s=0.1)

    assert time.monotonic() < ended - 2.0, "the run has waited for a task that does not heed it"
    assert report.state == "incomplete"
    assert report.failed == 0 or timeout_s
    assert little.run().state == "completed"
    assert sorted(r["id"] for r in little.results()) == list(range(6))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_late_answer_of_an_attempt_that_was_given_up_counts_for_nothing(little, engine):
    little.write({"id": 1})
    attempts = []

    def task(record):
        attempts.append(len(attempts))
        return {"attempt": attempts[-1]}

    async def slow(record):
        result = task(record)
        if result["attempt"] == 0:
            try:
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                return {"attempt": "late"}
        return result

    def blocking(record):
        result = task(record)
        if result["attempt"] == 0:
            time.sleep(0.4)
        return result

    report = little.run(slow if engine == "async" else blocking, timeout_s=0.1, engine=engine)

    assert report.succeeded == 1
    assert len(little.results()) == 1


# Tasks that meddle.


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_task_does_to_its_record_is_not_seen_by_the_next_attempt(little, engine):
    little.write({"id": 1, "list": []})
    seen = []

    def task(record):
        seen.append(dict(record))
        record.clear()
        raise ConnectionError("try again")

    report = run(little, task, engine)

    assert report.failed == 1
    assert seen == [{"id": 1, "list": []}] * 3
    assert little.letters()[0]["record"] == {"id": 1, "list": []}


def test_a_task_that_deletes_the_lock_and_the_errors_file_loses_nothing(little):
    little.write({"id": 1}, b"bad", {"id": 3})

    async def task(record):
        for path in (little.errors, little.ledger.with_suffix(".ledger.lock")):
            path.unlink(missing_ok=True)
        return record

    report = little.run(task)

    assert (report.state, report.succeeded, report.failed) == ("completed", 2, 1)
    assert little.failed() == {1: "InvalidRecord"}


def test_a_task_may_change_the_folder_it_works_in(little, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    little.folder = little.folder.relative_to(tmp_path)
    little.write({"id": 1}, b"bad", {"id": 3})

    async def task(record):
        monkeypatch.chdir(tmp_path / "elsewhere")
        return record

    report = little.run(task, commit_every_s=0)

    assert (report.state, report.succeeded, report.failed) == ("completed", 2, 1)
    assert not any((tmp_path / "elsewhere").iterdir())
    assert adds_up(report)
