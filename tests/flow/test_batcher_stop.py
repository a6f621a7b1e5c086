"""How a batcher ends: nobody is left waiting."""

from __future__ import annotations

import asyncio

import pytest

from batchers import Deaf, Doubling, Slow, gathered, now
from batchmill.flow.batcher import AsyncBatcher, BatcherStopped
from virtual_loop import START_S, run_virtually


def test_a_graceful_stop_sends_out_at_once_what_waits_and_returns_when_it_is_done():
    async def scenario():
        batcher = Slow(max_queue_time=60)
        calls = [batcher.submit(n) for n in range(3)]
        await batcher.stop()
        return [call.result() for call in calls], now() - START_S, batcher.stats().released["flush"]

    assert run_virtually(scenario()) == ([0, 2, 4], 1.0, 1)


def test_a_graceful_stop_keeps_to_the_limits():
    async def scenario():
        batcher = Slow(max_queue_time=60, max_batch_size=2, concurrency=2)
        calls = [batcher.submit(n) for n in range(7)]
        await batcher.stop()
        return batcher.batches, all(call.done() for call in calls)

    assert run_virtually(scenario()) == ([[0, 1], [2, 3], [4, 5], [6]], True)


def test_a_graceful_stop_answers_those_who_wait_for_room():
    async def scenario():
        batcher = Slow(max_queue_size=2, max_batch_size=2, when_full="wait")
        calls = [asyncio.create_task(batcher.process(n)) for n in range(9)]
        await asyncio.sleep(0)
        await batcher.stop()
        return await asyncio.gather(*calls)

    assert run_virtually(scenario()) == [2 * n for n in range(9)]


@pytest.mark.parametrize("state", ["new", "used", "stopped"])
def test_stopping_an_idle_batcher_takes_no_time(state):
    async def scenario():
        batcher = Doubling(max_queue_time=0)
        if state != "new":
            await batcher.process(1)
        if state == "stopped":
            await batcher.stop()
        await batcher.stop()
        return now() - START_S

    assert run_virtually(scenario()) == 0


def test_later_calls_are_refused():
    async def scenario():
        batcher = Slow()
        early = asyncio.create_task(batcher.process(1))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0)
        while_stopping = await gathered(batcher.process(2))
        await stopping
        with pytest.raises(BatcherStopped):
            batcher.submit(3)
        return await early, [*while_stopping, *await gathered(batcher.process(4))]

    answer, refusals = run_virtually(scenario())
    assert answer == 2
    assert {type(refusal) for refusal in refusals} == {BatcherStopped}


@pytest.mark.parametrize("how", [{"force": True}, {"timeout": 0.5}])
def test_whoever_is_not_answered_is_told_that_the_batcher_was_stopped(how):
    async def scenario():
        batcher = Slow(max_batch_size=2, max_queue_size=4, when_full="wait")
        calls = [asyncio.create_task(batcher.process(n)) for n in range(9)]
        await asyncio.sleep(0.1)
        await batcher.stop(**how)
        return await gathered(*calls), now() - START_S

    answers, ended_s = run_virtually(scenario())
    assert [type(answer) for answer in answers] == [BatcherStopped] * 9
    assert ended_s == pytest.approx(0.1 + how.get("timeout", 0))


def test_callers_who_share_an_item_are_told_as_well():
    async def scenario():
        batcher = Slow(max_batch_size=1, dedupe=lambda item: item)
        calls = [batcher.submit(n % 3) for n in range(9)]
        await asyncio.sleep(0.1)
        await batcher.stop(force=True)
        return await gathered(*calls)

    assert {type(answer) for answer in run_virtually(scenario())} == {BatcherStopped}


def test_what_is_done_in_time_is_answered_and_only_the_rest_fails():
    async def scenario():
        batcher = Slow(max_batch_size=2)
        calls = [batcher.submit(n) for n in range(6)]
        await batcher.stop(timeout=2.5)
        return await gathered(*calls)

    answers = run_virtually(scenario())
    assert answers[:4] == [0, 2, 4, 6]
    assert [type(answer) for answer in answers[4:]] == [BatcherStopped] * 2


def test_a_batch_that_does_not_heed_its_cancellation_holds_up_nobody_for_long():
    async def scenario():
        batcher = Deaf(max_queue_time=0)
        call = batcher.submit(1)
        await asyncio.sleep(0.1)
        await batcher.stop(force=True)
        ended_s = now() - START_S
        state = repr(batcher)
        await asyncio.sleep(120)
        return await gathered(call), ended_s, state

    (answer,), ended_s, state = run_virtually(scenario())
    assert isinstance(answer, BatcherStopped)
    assert ended_s <= 1.2
    assert state == "<Deaf stopped waiting=0 running=0/1 items=1 batches=1>"


def test_a_second_stop_waits_as_well_and_a_third_by_force_ends_both():
    async def scenario():
        batcher = Slow()
        call = batcher.submit(1)
        first, second = (asyncio.create_task(batcher.stop()) for _ in range(2))
        await asyncio.sleep(0.5)
        waiting = first.done(), second.done()
        await batcher.stop(force=True)
        await asyncio.gather(first, second)
        return waiting, await gathered(call)

    waiting, (answer,) = run_virtually(scenario())
    assert waiting == (False, False)
    assert isinstance(answer, BatcherStopped)


def test_a_stop_that_is_given_up_still_drains():
    async def scenario():
        batcher = Slow()
        call = batcher.submit(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.stop(), 0.5)
        return await call

    assert run_virtually(scenario()) == 2


def test_a_with_block_starts_and_drains():
    async def scenario():
        async with Slow(max_queue_time=60) as batcher:
            running = await batcher.is_running()
            call = batcher.submit(1)
        return running, call.result(), await batcher.is_running()

    assert run_virtually(scenario()) == (True, 2, False)


def test_a_stopped_batcher_may_be_started_again():
    async def scenario():
        batcher = Doubling(max_queue_time=0)
        answers = []
        for n in range(3):
            async with batcher:
                answers.append(await batcher.process(n))
        return answers

    assert run_virtually(scenario()) == [0, 2, 4]


def test_a_batcher_cannot_be_started_while_it_stops():
    async def scenario():
        batcher = Slow()
        batcher.submit(1)
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0.5)
        with pytest.raises(BatcherStopped):
            await batcher.start()
        await stopping

    run_virtually(scenario())


def test_stop_inside_process_batch_is_refused_and_does_not_wait_for_itself():
    class Suicidal(AsyncBatcher[int, int]):
        async def process_batch(self, batch):
            await self.stop()
            return batch

    async def scenario():
        return await gathered(Suicidal().process(1))

    (answer,) = run_virtually(scenario())
    assert isinstance(answer, RuntimeError)
    assert "would wait for itself" in str(answer)


def test_batches_whose_callers_all_leave_while_it_stops_do_not_keep_it():
    async def scenario():
        batcher = Slow(max_batch_size=1)
        calls = [batcher.submit(n) for n in range(5)]
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0.5)
        for call in calls:
            call.cancel()
        await stopping
        return now() - START_S

    assert run_virtually(scenario()) == 1.0
