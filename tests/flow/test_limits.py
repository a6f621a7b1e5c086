"""A call has its time limit: what hangs is given up, what will not be given up is left behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from stage import Stage, after

from batchmill.engines.loop_slot import STUBBORN_S
from batchmill.errors import TimedOut
from batchmill.flow.ticker import TICK_S
from batchmill.options import Retry

ONCE = Retry(max_attempts=1)
LATE_S = 2 * TICK_S


async def hang():
    await asyncio.Event().wait()


async def shrug_off_cancelling(wait_s):
    """Wait so long, whoever cancels."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_s
    while (left_s := end - loop.time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(left_s)


def test_a_call_that_hangs_is_timed_out_within_a_tick_of_its_limit():
    async def task(record):
        if record == 1:
            await hang()
        return record

    stage = Stage(task, range(3), concurrency=1, timeout_s=2, retry=ONCE).play()

    assert [(letter.seq, letter.failure.type) for letter in stage.letters] == [(1, "TimedOut")]
    assert "2 s" in stage.letters[0].failure.message
    assert 2 <= stage.starts_of(2)[0] <= 2 + LATE_S
    assert sorted(stage.results) == [0, 2]


def test_a_call_that_was_timed_out_is_tried_again():
    async def task(record):
        if record == 0 and len(stage.starts_of(0)) < 3:
            await hang()
        return record

    stage = Stage(task, range(2), timeout_s=2, retry=Retry(max_attempts=3, wait_min_s=1))
    stage.play()

    assert [start.attempt for start in stage.starts if start.seq == 0] == [1, 2, 3]
    assert sorted(stage.results) == [0, 1]


def test_a_quick_call_in_the_slot_of_a_slow_one_has_a_limit_of_its_own():
    async def task(record):
        await asyncio.sleep(1.5)
        return record

    stage = Stage(task, range(20), concurrency=1, timeout_s=2, retry=ONCE).play()

    assert stage.results == list(range(20))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_call_that_heeds_no_cancelling_is_left_behind_and_its_slot_replaced(concurrency):
    async def task(record):
        if record == 1:
            await shrug_off_cancelling(3600)
        return record

    stage = Stage(task, range(10), concurrency=concurrency, timeout_s=2, retry=ONCE).play()

    assert stage.failed == [1]
    assert stage.letters[0].failure.type == "TimedOut"
    assert sorted(stage.results) == [0, *range(2, 10)]
    assert stage.ended_at <= 2 + STUBBORN_S + 2 * LATE_S
    assert stage.parts.engine.abandoned == 1


def test_every_slot_may_be_replaced_many_times():
    async def task(record):
        if record % 2:
            await shrug_off_cancelling(3600)
        return record

    stage = Stage(task, range(20), concurrency=2, timeout_s=1, retry=ONCE, systemic_after=0).play()

    assert sorted(stage.failed) == list(range(1, 20, 2))
    assert sorted(stage.results) == list(range(0, 20, 2))


def test_the_late_result_of_a_call_that_was_left_behind_is_thrown_away():
    async def task(record):
        if len(stage.starts_of(0)) == 1:
            await shrug_off_cancelling(9)
            return "late"
        await asyncio.sleep(1.9)
        return record

    stage = Stage(task, range(5), concurrency=1, timeout_s=2, retry=Retry(wait_min_s=1))
    stage.play()

    assert sorted(stage.results) == [0, 1, 2, 3, 4]
    assert stage.ended_at > 9
    assert stage.failed == []


def test_a_late_result_does_not_settle_a_record_that_has_its_outcome():
    async def task(record):
        if record == 0:
            await shrug_off_cancelling(20)
            return "late"
        await asyncio.sleep(1)
        return record

    stage = Stage(task, range(40), concurrency=2, timeout_s=2, retry=ONCE).play()

    assert stage.failed == [0]
    assert sorted(stage.results) == list(range(1, 40))
    assert stage.store.counts.settled == 40


def test_a_late_failure_of_a_call_that_was_left_behind_is_thrown_away():
    async def task(record):
        if record == 0:
            await shrug_off_cancelling(20)
            raise ValueError
        await asyncio.sleep(1)
        return record

    stage = Stage(task, range(40), concurrency=2, timeout_s=2, retry=ONCE).play()

    assert [(letter.seq, letter.failure.type) for letter in stage.letters] == [(0, "TimedOut")]
    assert stage.store.counts.settled == 40


def test_a_call_that_answers_cancelling_with_an_error_is_timed_out_with_that_error_as_cause():
    async def task(record):
        try:
            await hang()
        except asyncio.CancelledError:
            raise ValueError("torn down badly") from None

    stage = Stage(task, [0], timeout_s=1, retry=ONCE).play()

    assert stage.letters[0].failure.type == "TimedOut"
    assert "torn down badly" in stage.letters[0].failure.traceback


def test_a_call_that_cleans_up_when_it_is_cancelled_is_given_the_time():
    cleaned = []

    async def task(record):
        try:
            await hang()
        finally:
            await asyncio.sleep(2)
            cleaned.append(record)

    stage = Stage(task, [0], timeout_s=1, retry=ONCE).play()

    assert cleaned == [0]
    assert stage.letters[0].failure.type == "TimedOut"


def test_a_time_limit_of_the_tasks_own_is_a_transient_failure_of_its_own():
    async def task(record):
        async with asyncio.timeout(0.5):
            if len(stage.starts_of(0)) == 1:
                await hang()
        return record

    stage = Stage(task, [0], timeout_s=5, retry=Retry(wait_min_s=1))
    stage.play()

    assert stage.starts_of(0) == pytest.approx([0, 1], abs=LATE_S)
    assert stage.results == [0]


@pytest.mark.parametrize("own_s", [0.5, 0.999, 1.0, 1.001, 1.05, 3])
def test_a_time_limit_of_the_tasks_own_and_that_of_the_job_do_not_get_mixed_up(own_s):
    async def task(record):
        try:
            async with asyncio.timeout(own_s):
                await hang()
        except TimeoutError:
            await asyncio.sleep(0.1)
            return "own limit"

    stage = Stage(task, range(3), concurrency=1, timeout_s=1, retry=ONCE).play()

    assert len(stage.results) + len(stage.failed) == 3
    assert {letter.failure.type for letter in stage.letters} <= {"TimedOut"}
    if own_s < 0.8:
        assert stage.results == ["own limit"] * 3
    if own_s > 1.2:
        assert stage.failed == [0, 1, 2]


@pytest.mark.parametrize("timeout_s", [None, 5])
def test_a_cancelling_that_the_task_itself_caused_is_its_failure(timeout_s):
    async def task(record):
        if record == 1:
            child = asyncio.create_task(hang())
            await asyncio.sleep(0)
            child.cancel()
            await child
        if record == 2:
            raise asyncio.CancelledError
        return record

    stage = Stage(task, range(5), concurrency=2, timeout_s=timeout_s).play()

    assert sorted(stage.failed) == [1, 2]
    assert {letter.failure.type for letter in stage.letters} == {"CancelledError"}
    assert sorted(stage.results) == [0, 3, 4]


@pytest.mark.parametrize("timeout_s", [None, 5])
def test_a_task_that_cancels_itself_fails_its_record_and_nothing_else(timeout_s):
    async def task(record):
        if record == 1:
            asyncio.current_task().cancel()
            await asyncio.sleep(1)
        return record

    stage = Stage(task, range(5), concurrency=2, timeout_s=timeout_s, horizon_s=600).play()

    assert sorted([*stage.results, *stage.failed]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("timeout_s", [None, 5])
def test_a_cancelling_that_the_task_dealt_with_is_forgotten(timeout_s):
    async def task(record):
        if record == 0:
            asyncio.current_task().cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(1)
        if record == 1:
            raise ValueError
        return record

    stage = Stage(task, range(4), concurrency=1, timeout_s=timeout_s, horizon_s=600).play()

    assert stage.failed == [1]
    assert stage.results == [0, 2, 3]
    assert stage.error is None


def test_a_group_of_child_tasks_ends_with_the_call_that_was_timed_out():
    ended = []

    async def child():
        try:
            await hang()
        finally:
            ended.append(True)

    async def task(record):
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            group.create_task(child())

    stage = Stage(task, range(2), concurrency=1, timeout_s=1, retry=ONCE).play()

    assert ended == [True] * 4
    assert {letter.failure.type for letter in stage.letters} == {"TimedOut"}


@pytest.mark.parametrize("error", [KeyError, StopIteration, StopAsyncIteration, GeneratorExit,
                                   SystemExit, asyncio.CancelledError, BaseException,
                                   RecursionError, MemoryError])  # fmt: skip
@pytest.mark.parametrize("timeout_s", [None, 5])
def test_whatever_a_task_raises_fails_its_record_only(error, timeout_s):
    async def task(record):
        if record == 1:
            raise error
        return record

    stage = Stage(task, range(4), concurrency=2, timeout_s=timeout_s, retry=ONCE).play()

    assert stage.failed == [1]
    assert sorted(stage.results) == [0, 2, 3]
    assert stage.error is None


@pytest.mark.parametrize("broken", ["__str__", "status", "status_code", "code", "response",
                                    "headers", "retry_after_s"])  # fmt: skip
def test_an_exception_that_cannot_be_looked_at_fails_its_record_only(broken):
    def explode(self):
        raise RuntimeError("no")

    attribute = explode if broken == "__str__" else property(explode)
    unreadable = type("Unreadable", (Exception,), {broken: attribute})

    async def task(record):
        if record == 1:
            raise unreadable
        return record

    stage = Stage(task, range(3)).play()

    assert stage.failed == [1]
    assert sorted(stage.results) == [0, 2]
    assert stage.error is None


def test_a_retry_after_a_time_out_waits_its_back_off_and_not_more():
    async def task(record):
        if len(stage.starts_of(record)) == 1:
            await hang()
        return record

    stage = Stage(task, [0], timeout_s=1, retry=Retry(wait_min_s=8, wait_max_s=8))
    stage.play()

    assert stage.starts_of(0) == pytest.approx([0, 5], abs=2 * LATE_S)


def test_a_second_signal_does_not_make_a_dead_letter_of_a_call_that_heeds_no_cancelling():
    async def task(record):
        await shrug_off_cancelling(3600)

    def interrupt(stage):
        stage.stop.on_signal(2)
        stage.stop.on_signal(2)

    stage = Stage(task, range(3), concurrency=1, timeout_s=1800, retry=ONCE).play(
        after(1, interrupt)
    )

    assert stage.letters == []
    assert stage.ended_at <= 1 + STUBBORN_S + 2 * LATE_S


def test_time_limits_are_a_kind_of_failure_that_the_guard_can_tell():
    async def task(record):
        await hang()

    stage = Stage(task, range(100), concurrency=10, timeout_s=1, retry=ONCE, systemic_after=20)
    stage.play()

    assert "alike" in str(stage.stop.error)
    assert TimedOut.__name__ in str(stage.stop.error)
    assert stage.letters == []
