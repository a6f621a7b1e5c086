"""Callers who leave: cancelled, out of time, or all gone."""

from __future__ import annotations

import asyncio

import pytest

from batchers import Doubling, Poisoned, Slow, gathered, now
from batchmill.errors import ConfigError
from virtual_loop import START_S, VirtualLoop, run_virtually


def test_a_cancelled_caller_disturbs_nobody():
    async def scenario():
        batcher = Slow()
        calls = [asyncio.create_task(batcher.process(n)) for n in range(5)]
        await asyncio.sleep(0.5)
        calls[2].cancel()
        return await gathered(*calls)

    answers = run_virtually(scenario())
    assert isinstance(answers.pop(2), asyncio.CancelledError)
    assert answers == [0, 2, 6, 8]


def test_an_item_whose_caller_has_gone_is_not_run():
    async def scenario():
        batcher = Doubling()
        calls = [batcher.submit(n) for n in range(5)]
        calls[1].cancel()
        calls[3].cancel()
        await gathered(*calls)
        return batcher.batches, batcher.stats().left

    assert run_virtually(scenario()) == ([[0, 2, 4]], 2)


def test_a_batch_that_nobody_waits_for_is_not_run():
    async def scenario():
        batcher = Doubling()
        calls = [batcher.submit(n) for n in range(5)]
        for call in calls:
            call.cancel()
        await asyncio.sleep(1)
        return await batcher.process(7), batcher.batches

    assert run_virtually(scenario()) == (14, [[7]])


def test_a_caller_who_leaves_while_a_failed_batch_is_split_is_not_run_again():
    class SlowPoisoned(Poisoned):
        run_s = 1.0

    async def scenario():
        batcher = SlowPoisoned()
        calls = [batcher.submit(n) for n in (13, 1, 2, 3)]
        await asyncio.sleep(0.5)
        calls[1].cancel()
        await gathered(*calls)
        return batcher.batches

    assert run_virtually(scenario()) == [[13, 1, 2, 3], [13], [2, 3]]


def test_a_batch_goes_on_without_callers_unless_told_otherwise():
    async def scenario():
        batcher = Slow()
        call = batcher.submit(1)
        await asyncio.sleep(0.5)
        call.cancel()
        await batcher.stop()
        return now()

    assert run_virtually(scenario()) == pytest.approx(START_S + 1.01)


def test_an_abandoned_batch_is_cancelled_where_that_is_wanted():
    async def scenario():
        batcher = Slow(cancel_abandoned=True)
        calls = [batcher.submit(n) for n in range(3)]
        await asyncio.sleep(0.5)
        for call in calls:
            call.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await batcher.stop()
        return now(), batcher.stats()

    ended_at, stats = run_virtually(scenario())
    assert ended_at == START_S + 0.5
    assert stats.running == 0


def test_a_batch_with_one_caller_left_is_not_abandoned():
    async def scenario():
        batcher = Slow(cancel_abandoned=True)
        calls = [batcher.submit(n) for n in range(3)]
        await asyncio.sleep(0.5)
        calls[0].cancel()
        calls[2].cancel()
        return await calls[1]

    assert run_virtually(scenario()) == 2


def test_a_caller_out_of_time_gets_a_timeout_and_its_item_is_not_run():
    async def scenario():
        batcher = Slow(max_queue_time=0)
        first = batcher.submit(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calls = [batcher.process(1, timeout=0.3), batcher.process(2, timeout=30)]
        return await gathered(first, *calls), batcher.batches

    (zero, one, two), batches = run_virtually(scenario())
    assert (zero, two) == (0, 4)
    assert isinstance(one, TimeoutError)
    assert str(one) == "no answer within 0.3 s"
    assert batches == [[0], [2]]


def test_a_caller_out_of_time_is_told_so_in_time():
    async def scenario():
        batcher = Slow()
        with pytest.raises(TimeoutError):
            await batcher.process(1, timeout=0.25)
        return now()

    assert run_virtually(scenario()) == START_S + 0.25


def test_a_shorter_time_limit_is_kept_although_a_longer_one_came_first():
    async def scenario():
        batcher = Slow()
        patient = asyncio.create_task(batcher.process(0, timeout=30))
        await asyncio.sleep(0)
        (impatient,) = await gathered(batcher.process(1, timeout=0.25))
        told_at = now()
        return await patient, impatient, told_at

    answer, error, told_at = run_virtually(scenario())
    assert answer == 0
    assert isinstance(error, TimeoutError)
    assert told_at == START_S + 0.25


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_at_all_is_a_timeout(timeout):
    async def scenario():
        await Slow().process(1, timeout=timeout)

    with pytest.raises(TimeoutError):
        run_virtually(scenario())


def test_a_timeout_that_is_no_number_is_refused():
    async def scenario():
        await Doubling().process(1, timeout=float("nan"))

    with pytest.raises(ConfigError, match="timeout"):
        run_virtually(scenario())


def test_callers_with_time_limits_share_one_timer():
    async def scenario():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        batcher = Doubling(max_batch_size=100)
        timers = loop.timers
        await asyncio.gather(*[batcher.submit(n, timeout=10 + n) for n in range(1000)])
        return loop.timers - timers

    assert run_virtually(scenario()) <= 3


def test_callers_with_time_limits_are_forgotten_when_they_are_answered():
    async def scenario():
        batcher = Doubling(max_queue_time=0)
        for n in range(1000):
            await batcher.process(n, timeout=3600)
        return len(batcher._pump.deadlines._heap)

    assert run_virtually(scenario()) < 200


def test_a_caller_may_leave_while_it_waits_for_room():
    async def scenario():
        batcher = Slow(max_queue_size=1, max_batch_size=1, when_full="wait", max_queue_time=0)
        calls = [asyncio.create_task(batcher.process(n)) for n in range(6)]
        await asyncio.sleep(0.5)
        calls[3].cancel()
        answers = await gathered(*calls)
        return answers[:3] + answers[4:], batcher.batches

    answers, batches = run_virtually(scenario())
    assert answers == [0, 2, 4, 8, 10]
    assert [3] not in batches
