"""What a call leaves behind is not found by the next one; what the caller has set is."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar

import pytest
from doubles import HandClock, NotingDesk, PiecesFeed, engine_of, numbered, serve

from batchmill import Job, map, run  # noqa: A004
from batchmill.engines.loop_slot import STUBBORN_S
from batchmill.engines.on_loop import LoopEngine
from batchmill.engines.on_threads import ThreadEngine
from batchmill.errors import TimedOut

span = ContextVar("span", default="unset")


class NeverEqual:
    """A value that refuses to be compared, as arrays do."""

    def __eq__(self, other):
        raise ValueError("ambiguous")

    __hash__ = None


def seen_and_set(record):
    before = span.get()
    span.set(record)
    return before


async def seen_and_set_later(record):
    await asyncio.sleep(0)
    return seen_and_set(record)


def seen_and_set_and_failed(record):
    if record % 2:
        return span.get()
    span.set(record)
    raise ValueError(record)


SETTERS = [seen_and_set, seen_and_set_later, seen_and_set_and_failed]


@pytest.mark.parametrize("engine", ["async", "thread"])
@pytest.mark.parametrize("task", SETTERS)
def test_a_context_variable_is_gone_with_the_record_that_has_set_it(engine, task):
    if engine == "thread" and asyncio.iscoroutinefunction(task):
        engine = "auto"
    report = run(Job(source=range(40), task=task, concurrency=2, engine=engine, systemic_after=0))

    assert {"unset"} == set(report.results)


@pytest.mark.parametrize("engine", ["async", "thread"])
def test_a_context_variable_is_gone_with_the_batch_that_has_set_it(engine):
    def task(records):
        before = span.get()
        span.set(records[0])
        return [before for _ in records]

    report = run(Job(source=range(40), task=task, batch_size=4, concurrency=1, engine=engine))

    assert ["unset"] * 40 == report.results


@pytest.mark.parametrize("engine", ["async", "thread"])
def test_values_that_cannot_be_compared_are_no_failure(engine):
    def task(record):
        before = span.get()
        span.set(NeverEqual())
        return {"before": type(before).__name__}

    token = span.set(NeverEqual())
    report = run(Job(source=range(4), task=task, concurrency=1, engine=engine))
    span.reset(token)

    assert [{"before": "NeverEqual"}] * 4 == report.results


@pytest.mark.parametrize("task", [lambda record: span.get(), seen_and_set_later])
def test_a_call_sees_the_context_variables_of_whoever_runs_the_job(task):
    token = span.set("request 7")

    assert {"request 7"} == set(run(Job(source=range(3), task=task)).results)
    assert {"request 7"} == set(map(task, range(3)))
    span.reset(token)


def cancels_itself(record):
    asyncio.current_task().cancel()
    return record


async def cancels_itself_and_waits(record):
    asyncio.current_task().cancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        return record


async def fails_cancelled(record):
    asyncio.current_task().cancel()
    raise ValueError(record)


@pytest.mark.parametrize("leaving", [cancels_itself, cancels_itself_and_waits, fails_cancelled])
def test_a_cancellation_is_gone_with_the_record_that_has_asked_for_it(leaving):
    found = []

    async def task(record):
        if record % 2 == 0:
            left = leaving(record)
            return await left if asyncio.iscoroutine(left) else left
        found.append(asyncio.current_task().cancelling())
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        return record

    desk = NotingDesk()
    pieces = [[(seq, seq)] for seq in range(6)]
    asyncio.run(serve(engine_of(LoopEngine, task), PiecesFeed(*pieces), desk))

    assert [0, 0, 0] == found
    assert list(range(6)) == desk.reported()
    assert {1, 3, 5} <= set(desk.seqs)


def test_a_time_limit_that_was_shrugged_off_leaves_no_cancellation():
    found, clock, desk = [], HandClock(), NotingDesk()

    async def task(record):
        if record == 0:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return [record]
        found.append(asyncio.current_task().cancelling())
        return [record]

    async def scenario():
        engine = engine_of(LoopEngine, task, clock=clock)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(3))), desk))
        while engine.oldest() is None:
            await asyncio.sleep(0)
        engine.expire(clock.now_s + 11)
        await running

    asyncio.run(scenario())

    assert [0, 0] == found
    assert [0, 1, 2] == desk.seqs


def test_a_call_that_ends_in_the_moment_in_which_it_is_left_behind_is_reported_once():
    let_go, clock, desk = asyncio.Event(), HandClock(), NotingDesk()

    async def task(record):
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        return [record]

    async def scenario():
        engine = engine_of(LoopEngine, task, clock=clock)
        running = asyncio.create_task(serve(engine, PiecesFeed(numbered(range(2))), desk))
        while engine.oldest() is None:
            await asyncio.sleep(0)
        engine.expire(clock.now_s + 11)
        await asyncio.sleep(0)
        let_go.set()
        engine.expire(clock.now_s + 12 + STUBBORN_S)
        await running

    asyncio.run(scenario())

    assert [0, 1] == desk.reported()
    assert isinstance(desk.failures[0], TimedOut)
    assert 2 == len(desk.latencies)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
def test_tasks_may_begin_at_once():
    async def task(record):
        if record % 3 == 0:
            raise ValueError(record)
        if record % 3 == 1:
            await asyncio.sleep(0)
        return [record]

    async def scenario():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await serve(engine_of(LoopEngine, task, slots=3), PiecesFeed(numbered(range(20))), desk)

    desk = NotingDesk()
    asyncio.run(scenario())

    assert list(range(20)) == desk.reported()


@pytest.mark.parametrize("engine", [LoopEngine, ThreadEngine])
def test_a_call_that_was_made_has_a_latency(engine):
    def task(record):
        if record % 3 == 0:
            raise ValueError(record)
        return None if record % 3 == 1 else [record]

    desk = NotingDesk()
    asyncio.run(serve(engine_of(engine, task, slots=2), PiecesFeed(numbered(range(60))), desk))

    assert 60 == len(desk.latencies)
