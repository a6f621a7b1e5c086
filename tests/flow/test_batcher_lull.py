"""Callers who have just been answered share the next batch with those who waited meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from batchers import Slow, now
from batchmill.flow.batcher_lull import MOST_SHARE, MOST_TICKS
from virtual_loop import START_S, run_virtually


async def directly(batcher):
    await batcher.process(1)


async def by_submit(batcher):
    await batcher.submit(1)


async def in_a_task(batcher):
    await asyncio.create_task(batcher.process(1))


async def with_wait_for(batcher):
    await asyncio.wait_for(batcher.process(1), 60)


async def in_gathers(batcher):
    await asyncio.gather(asyncio.gather(batcher.process(1)))


async def after_a_pause(batcher):
    await batcher.process(1)
    await asyncio.sleep(0)


WAYS = [directly, by_submit, in_a_task, with_wait_for, in_gathers, after_a_pause]


async def two_halves(batcher, call, rounds=10):
    """Ten callers; half of them come while the batch of the others runs."""

    async def caller(start_s):
        await asyncio.sleep(start_s)
        for _ in range(rounds):
            await call(batcher)

    await asyncio.gather(*[caller(start_s) for start_s in [0, 0.5] * 5])
    return [len(batch) for batch in batcher.batches]


@pytest.mark.parametrize("options", [{}, {"group_by": type}], ids=["line", "lanes"])
@pytest.mark.parametrize("call", WAYS, ids=lambda way: way.__name__)
def test_two_halves_become_one_batch_however_the_callers_come_back(call, options):
    batcher = Slow(max_batch_size=10, **options)

    assert run_virtually(two_halves(batcher, call)) == [5, *[10] * 9, 5]


@pytest.mark.parametrize("wait", [{"max_queue_time": 0}, {"max_queue_time": "auto"},
                                  {"dispatch": "idle"}])  # fmt: skip
@pytest.mark.parametrize("call", WAYS, ids=lambda way: way.__name__)
def test_two_halves_become_one_batch_however_short_the_wait(call, wait):
    batcher = Slow(max_batch_size=10, **wait)

    assert run_virtually(two_halves(batcher, call)).count(10) >= 8


def test_what_waits_goes_although_nobody_calls_again():
    async def scenario():
        batcher = Slow(max_batch_size=10)
        first = batcher.submit(1)
        await asyncio.sleep(0.5)
        await asyncio.gather(first, batcher.submit(2))
        return batcher.called_at

    assert run_virtually(scenario()) == [START_S + 0.01, START_S + 1.01]


def test_a_slot_is_kept_a_few_ticks_and_for_a_small_part_of_the_time_a_batch_takes():
    async def scenario(tick_s):
        batcher = Slow(max_batch_size=10)
        calls = [batcher.submit(1)]
        await asyncio.sleep(0.5)
        calls.append(batcher.submit(2))
        await calls[0]
        answered_at = now()
        while len(batcher.batches) < 2:
            asyncio.get_running_loop().now_s += tick_s
            await asyncio.sleep(0)
        await calls[1]
        return batcher.called_at[1] - answered_at

    assert run_virtually(scenario(0.001)) <= (MOST_TICKS + 1) * 0.001
    assert run_virtually(scenario(0.03)) <= MOST_SHARE + 2 * 0.03
    assert run_virtually(scenario(0.5)) <= 2 * 0.5


def test_a_stop_does_not_wait_for_callers_to_come_back():
    async def scenario():
        batcher = Slow(max_batch_size=10)
        calls = [batcher.submit(1)]
        await asyncio.sleep(0.5)
        calls.append(batcher.submit(2))
        await calls[0]
        await batcher.stop()
        return await asyncio.gather(*calls), batcher.called_at[1]

    assert run_virtually(scenario()) == ([2, 4], START_S + 1.01)
