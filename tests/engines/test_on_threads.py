"""Blocking functions run in threads of their own; one that hangs is left behind."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from doubles import HandClock, NotingDesk, PiecesFeed, engine_of, numbered, serve

from batchmill.calling import current, idempotency_key
from batchmill.engines import on_threads
from batchmill.engines.left_behind import MOST
from batchmill.engines.on_threads import ThreadEngine
from batchmill.errors import TimedOut
from batchmill.formats.codec import json_codec

PATIENCE_S = 10.0


def handed_at_once(monkeypatch, count):
    """Let every thread be handed so many records at a time."""
    monkeypatch.setattr(on_threads, "_next_size", lambda size, lasted_s: count)


@pytest.fixture
def slot_threads():
    """The threads of slots that this test has started and that are alive."""
    before = set(threading.enumerate())
    return lambda: [
        thread for thread in set(threading.enumerate()) - before if thread.name == "batchmill-slot"
    ]


async def until(event):
    """Wait for a thread to get somewhere, without waiting for nothing."""
    await asyncio.to_thread(event.wait, PATIENCE_S)
    assert event.is_set()


def ended(threads):
    for thread in threads:
        thread.join(PATIENCE_S)
    return not any(thread.is_alive() for thread in threads)


class Hanging:
    """A function that hangs on one record until it is let go, and returns others."""

    def __init__(self, on, then=None):
        self.on = on
        self.then = then
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.called = []

    def __call__(self, record):
        self.called.append(record)
        if record == self.on:
            self.entered.set()
            self.let_go.wait(PATIENCE_S)
            if isinstance(self.then, BaseException):
                raise self.then
        return [record]


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("at_once", [1, 7, 1024])
def test_every_record_is_reported_once(monkeypatch, slots, at_once):
    handed_at_once(monkeypatch, at_once)

    def task(record):
        if record % 5 == 0:
            raise KeyError(record)
        return None if record % 5 == 1 else [record]

    desk = NotingDesk()
    feed = PiecesFeed(numbered(range(100)), list(enumerate(range(100, 137), 100)), [])
    asyncio.run(serve(engine_of(ThreadEngine, task, slots=slots), feed, desk))

    assert desk.reported() == list(range(137))
    assert desk.rows == [[seq] for seq in desk.seqs]
    assert all(seq % 5 == 1 for seq in desk.filtered)
    assert set(desk.kinds.values()) == {"KeyError"}
    assert len(desk.latencies) == 137


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, asyncio.CancelledError]
)
def test_whatever_a_function_raises_is_the_failure_of_its_record(error):
    def task(record):
        if record == 1:
            raise error
        return [record]

    desk = NotingDesk()
    asyncio.run(serve(engine_of(ThreadEngine, task), PiecesFeed(numbered(range(3))), desk))

    assert desk.kinds == {1: error.__name__}
    assert desk.seqs == [0, 2]


def test_a_function_that_hangs_is_timed_out_and_its_slot_goes_on(slot_threads):
    task, clock, desk = Hanging(on=1), HandClock(), NotingDesk()

    async def scenario():
        engine = engine_of(ThreadEngine, task, clock=clock)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(5))), desk))
        await until(task.entered)
        clock.now_s += 9.9
        engine.expire(clock.now_s)
        assert desk.failures == {}
        clock.now_s += 0.2
        engine.expire(clock.now_s)
        await running
        return engine.abandoned

    assert asyncio.run(scenario()) == 1
    left = slot_threads()
    task.let_go.set()

    assert isinstance(desk.failures[1], TimedOut)
    assert desk.reported() == [0, 1, 2, 3, 4]
    assert ended(left)
    assert desk.reported() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("then", [None, ValueError()])
def test_what_comes_late_from_a_thread_that_was_left_behind_is_thrown_away(then, slot_threads):
    task, clock, desk = Hanging(on=0, then=then), HandClock(), NotingDesk()

    async def scenario():
        engine = engine_of(ThreadEngine, task, clock=clock)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(2))), desk))
        await until(task.entered)
        left = slot_threads()
        engine.expire(clock.now_s + 11)
        await running
        task.let_go.set()
        assert await asyncio.to_thread(ended, left)

    asyncio.run(scenario())

    assert desk.kinds == {0: "TimedOut"}
    assert desk.seqs == [1]
    assert desk.reported() == [0, 1]


def test_records_that_were_handed_over_with_one_that_hangs_are_called_again(
    monkeypatch,
):
    handed_at_once(monkeypatch, 8)
    task, clock, desk = Hanging(on=4), HandClock(), NotingDesk()

    async def scenario():
        engine = engine_of(ThreadEngine, task, clock=clock)
        feed = PiecesFeed([(0, 0)], [(seq, seq) for seq in range(1, 9)])
        running = asyncio.create_task(serve(engine, feed, desk))
        await until(task.entered)
        engine.expire(clock.now_s + 11)
        await running
        task.let_go.set()

    asyncio.run(scenario())

    assert desk.kinds == {4: "TimedOut"}
    assert sorted(desk.seqs) == [0, 1, 2, 3]
    assert sorted(desk.given_back) == [5, 6, 7, 8]


def test_a_thread_that_was_given_up_when_it_had_just_ended_is_not_kept(slot_threads):
    clock, desk, called = HandClock(), NotingDesk(), threading.Event()

    def task(record):
        called.set()
        return [record]

    async def scenario():
        engine = engine_of(ThreadEngine, task, clock=clock)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(2))), desk))
        while not called.is_set():
            await asyncio.sleep(0)
        waits_until_idle(engine)
        engine.expire(clock.now_s + 11)
        await running

    def waits_until_idle(engine):
        deadline = time.monotonic() + PATIENCE_S
        while engine._slots[0].handed and len(engine._slots[0].handed.latencies) < 1:
            assert time.monotonic() < deadline

    asyncio.run(scenario())

    assert ended(slot_threads())
    assert desk.failures == {}
    assert desk.reported() == [0, 1]


def test_giving_up_returns_what_is_not_done_and_reports_what_is(monkeypatch):
    handed_at_once(monkeypatch, 8)
    task, desk = Hanging(on=4), NotingDesk()

    async def scenario():
        engine = engine_of(ThreadEngine, task, timeout_s=None)
        feed = PiecesFeed([(0, 0)], [(seq, seq) for seq in range(1, 9)])
        running = asyncio.create_task(serve(engine, feed, desk))
        await until(task.entered)
        engine.cancel()
        await running
        task.let_go.set()

    asyncio.run(scenario())

    assert sorted(desk.seqs) == [0, 1, 2, 3]
    assert sorted(desk.given_back) == [4, 5, 6, 7, 8]
    assert desk.failures == {}


def test_a_run_that_is_cancelled_returns_what_is_in_flight():
    task, desk = Hanging(on=0), NotingDesk()

    async def scenario():
        engine = engine_of(ThreadEngine, task, timeout_s=None)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(3))), desk))
        await until(task.entered)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        task.let_go.set()

    asyncio.run(scenario())

    assert desk.given_back == [0]
    assert desk.seqs == []


def test_no_thread_is_left_when_the_feed_has_ended(slot_threads):
    desk = NotingDesk()
    feed = PiecesFeed(numbered(range(50)))

    asyncio.run(serve(engine_of(ThreadEngine, lambda record: [record], slots=8), feed, desk))

    assert ended(slot_threads())


def test_there_are_as_many_threads_as_slots_and_they_call_at_the_same_time():
    together = threading.Barrier(4)

    def task(record):
        together.wait(PATIENCE_S)
        return [record]

    desk = NotingDesk()
    feed = PiecesFeed(numbered(range(12)), paced=True)
    asyncio.run(serve(engine_of(ThreadEngine, task, slots=4), feed, desk))

    assert sorted(desk.seqs) == list(range(12))


def test_a_paced_thread_is_handed_one_record_at_a_time(monkeypatch):
    handed_at_once(monkeypatch, 100)
    seen = []

    class Watched(NotingDesk):
        pass

    desk = Watched()

    def task(record):
        seen.append(len(desk.seqs))
        return [record]

    feed = PiecesFeed(numbered(range(10)), paced=True)
    asyncio.run(serve(engine_of(ThreadEngine, task), feed, desk))

    assert seen == list(range(10))


def test_blank_lines_and_records_that_cannot_be_read_are_told_from_failures():
    desk = NotingDesk()
    feed = PiecesFeed(numbered([b'{"a":1}', b"", b"{broken", b" \r", b'{"a":2}']))

    asyncio.run(
        serve(engine_of(ThreadEngine, lambda record: record, codec=json_codec()), feed, desk)
    )

    assert desk.seqs == [0, 4]
    assert desk.rows == [b'{"a":1}\n', b'{"a":2}\n']
    assert desk.blanks == [1, 3]
    assert desk.kinds == {2: "InvalidRecord"}


def test_a_function_may_ask_which_record_it_is_called_for(monkeypatch):
    handed_at_once(monkeypatch, 5)
    seen = []

    def task(record):
        seen.append(current())
        return [record]

    desk = NotingDesk()
    asyncio.run(
        serve(engine_of(ThreadEngine, task, slots=2), PiecesFeed(numbered("abcdefgh")), desk)
    )

    assert sorted(here.seq for here in seen) == list(range(8))
    assert {here.idempotency_key for here in seen} == {
        idempotency_key("job", seq, raw) for seq, raw in numbered("abcdefgh")
    }


def test_the_call_that_has_been_running_longest_is_known():
    task, clock, desk = Hanging(on=0), HandClock(), NotingDesk()

    async def scenario():
        engine = engine_of(ThreadEngine, task, clock=clock)
        assert engine.oldest() is None
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(2))), desk))
        await until(task.entered)
        assert engine.oldest() == (0, 1000.0)
        task.let_go.set()
        await running
        assert engine.oldest() is None

    asyncio.run(scenario())


@pytest.mark.parametrize("why", ["timeout", "cancelled"])
@pytest.mark.parametrize("at_once", [1, 8])
def test_a_call_that_was_given_up_has_one_latency_and_what_was_not_called_has_none(
    monkeypatch, why, at_once
):
    handed_at_once(monkeypatch, at_once)
    task, clock, desk = Hanging(on=4), HandClock(), NotingDesk()

    async def scenario():
        engine = engine_of(ThreadEngine, task, clock=clock)
        feed = PiecesFeed([(0, 0)], [(seq, seq) for seq in range(1, 9)])
        running = asyncio.create_task(serve(engine, feed, desk))
        await until(task.entered)
        clock.now_s += 11
        if why == "timeout":
            engine.expire(clock.now_s)
        else:
            engine.cancel()
        await running
        task.let_go.set()

    asyncio.run(scenario())

    called = [*desk.seqs, *desk.failures, *([4] if why == "cancelled" else [])]
    assert len(called) == len(desk.latencies)
    assert 1 == sum(latency == 11 for latency in desk.latencies)


@pytest.mark.parametrize("why", ["timeout", "cancelled"])
def test_a_batch_that_was_given_up_is_one_call(why):
    entered, let_go, clock, desk = threading.Event(), threading.Event(), HandClock(), NotingDesk()

    def process_batch(records):
        entered.set()
        let_go.wait(PATIENCE_S)
        return records

    async def scenario():
        engine = engine_of(ThreadEngine, process_batch, clock=clock, batch_size=3)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(3))), desk))
        await until(entered)
        engine.expire(clock.now_s + 11) if why == "timeout" else engine.cancel()
        await running
        let_go.set()

    asyncio.run(scenario())

    assert 1 == len(desk.latencies)
    assert [0, 1, 2] == desk.reported()


def test_threads_that_were_left_behind_are_bounded_and_others_begin_when_they_have_ended():
    let_go, called, clock, desk = threading.Event(), [], HandClock(), NotingDesk()

    def task(record):
        called.append(record)
        let_go.wait(PATIENCE_S)
        return [record]

    async def scenario():
        engine = engine_of(ThreadEngine, task, slots=2, clock=clock)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(100))), desk))
        while engine.abandoned < MOST:
            await asyncio.sleep(0)
            if len(called) == engine.abandoned + 2:
                clock.now_s += 11
                engine.expire(clock.now_s)
        for _ in range(20):
            await asyncio.sleep(0)
        at_the_bound = len(called)
        let_go.set()
        await running
        return at_the_bound

    # What is in flight when the bound is reached may add to it.
    assert MOST <= asyncio.run(scenario()) <= MOST + 2
    assert list(range(100)) == desk.reported()
