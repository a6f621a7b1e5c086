"""The faults known of batchers before this one, each with a test that it is not here."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from test_batcher_where import USER, Countdown, InProcess

from batchers import Doubling, Echo, Raising, Slow, gathered, now
from batchmill.errors import ConfigError
from batchmill.flow.batcher import AsyncBatcher, BatcherStopped, BatchFailed, WrongResults
from virtual_loop import START_S, run_virtually


def test_one_cancelled_caller_does_not_hang_the_later_callers_of_its_batch():
    async def scenario():
        batcher = Slow()
        calls = [asyncio.create_task(batcher.process(n)) for n in range(3)]
        await asyncio.sleep(0.5)
        calls[0].cancel()
        return await asyncio.gather(*calls[1:])

    assert run_virtually(scenario()) == [2, 4]


@pytest.mark.parametrize("how", [{"force": True}, {"timeout": 0.1}])
def test_a_stop_by_force_or_by_timeout_leaves_no_caller_hanging(how):
    async def scenario():
        batcher = Slow(max_batch_size=2)
        calls = [asyncio.create_task(batcher.process(n)) for n in range(5)]
        await asyncio.sleep(0)
        await batcher.stop(**how)
        return await gathered(*calls)

    assert {type(answer) for answer in run_virtually(scenario())} == {BatcherStopped}


def test_a_graceful_stop_returns_after_running_batches_have_ended():
    async def scenario():
        batcher = Slow(max_queue_time=0)
        call = batcher.submit(1)
        await asyncio.sleep(0.5)
        await batcher.stop()
        return call.done()

    assert run_virtually(scenario())


def test_a_graceful_stop_of_an_idle_batcher_does_not_take_a_second():
    async def scenario():
        batcher = Doubling(max_queue_time=0)
        await batcher.process(1)
        await batcher.stop()
        return now() - START_S

    assert run_virtually(scenario()) == 0


def test_a_graceful_stop_flushes_early():
    async def scenario():
        batcher = Doubling(max_queue_time=60)
        batcher.submit(1)
        await batcher.stop()
        return now() - START_S

    assert run_virtually(scenario()) == 0


def test_a_second_run_of_an_event_loop_does_not_hang():
    batcher = Doubling()

    assert run_virtually(batcher.process(1)) == 2
    assert run_virtually(batcher.process(2)) == 4


def test_process_inside_process_batch_with_one_slot_does_not_deadlock():
    assert run_virtually(Countdown(concurrency=1).process(3)) == 6


def test_a_wait_of_200_ms_is_200_ms():
    async def scenario():
        batcher = Doubling(max_queue_time=0.2)
        calls = [batcher.submit(0)]
        await asyncio.sleep(0.19)
        calls.append(batcher.submit(1))
        await calls[0]
        return now() - START_S

    assert run_virtually(scenario()) == pytest.approx(0.2)


@pytest.mark.parametrize("result", [asyncio.CancelledError(), StopIteration()])
def test_a_cancelled_error_or_a_stop_iteration_as_result_hangs_nobody(result):
    answer, other = run_virtually(both(Echo(), result, 1))

    assert isinstance(answer, BatchFailed)
    assert other == 1


@pytest.mark.parametrize("error", [asyncio.CancelledError(), StopIteration()])
def test_a_cancelled_error_or_a_stop_iteration_that_is_raised_hangs_nobody(error):
    answers = run_virtually(both(Raising(), error, error))

    assert all(isinstance(answer, RuntimeError) for answer in answers)


async def both(batcher, first, second):
    return await gathered(batcher.process(first), batcher.process(second))


def test_a_queue_time_of_none_is_refused_where_it_is_written():
    with pytest.raises(ConfigError, match="max_queue_time"):
        Doubling(max_queue_time=None)


def test_no_item_is_written_to_a_log(caplog):
    caplog.set_level(logging.DEBUG)

    run_virtually(both(Echo(), "secret", ValueError("secret")))

    assert "secret" not in caplog.text


def test_a_batch_does_not_run_in_the_context_of_its_first_caller():
    class Asking(AsyncBatcher[int, str]):
        async def process_batch(self, batch):
            return [USER.get()] * len(batch)

    async def scenario():
        batcher = Asking()
        USER.set("first caller")
        return await batcher.process(1)

    assert run_virtually(scenario()) == "nobody"


def test_the_batch_is_passed_in_the_same_way_to_async_and_plain_functions():
    class Async(AsyncBatcher[int, int]):
        async def process_batch(self, items, /):
            return items

    class Plain(AsyncBatcher[int, int]):
        def process_batch(self, items, /):
            return items

    assert run_virtually(Async().process(1)) == run_virtually(Plain().process(1)) == 1


def test_a_process_pool_works():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        answer, _ = run_virtually(InProcess(3, executor=pool).process(2))

    assert answer == 6


def test_the_item_of_a_cancelled_caller_is_not_run():
    async def scenario():
        batcher = Doubling()
        calls = [batcher.submit(n) for n in range(3)]
        calls[1].cancel()
        await gathered(*calls)
        return batcher.batches

    assert run_virtually(scenario()) == [[0, 2]]


def test_callers_do_not_share_one_exception_object():
    first, second = run_virtually(both(Raising(split=False), ValueError("bad"), 2))

    assert str(first) == str(second) == "bad"
    assert first is not second


def test_a_dict_of_results_does_not_hand_out_its_keys():
    class Mapping(AsyncBatcher[int, int]):
        async def process_batch(self, batch):
            return {item: 2 * item for item in batch}

    answers = run_virtually(both(Mapping(), 1, 2))

    assert {type(answer) for answer in answers} == {WrongResults}


def test_batches_of_one_are_allowed():
    async def scenario():
        batcher = Doubling(max_batch_size=1)
        return await both(batcher, 1, 2), batcher.batches

    assert run_virtually(scenario()) == ([2, 4], [[1], [2]])


def test_an_item_too_large_fails_and_nothing_spins():
    async def scenario():
        batcher = Doubling(max_batch_cost=3, cost=lambda item: item)
        return await gathered(*[batcher.process(n) for n in (1, 100, 2)]), now() - START_S

    (one, too_large, two), took_s = run_virtually(scenario())
    assert (one, two) == (2, 4)
    assert isinstance(too_large, ValueError)
    assert took_s <= 0.01


def test_a_raising_size_function_does_not_stop_the_batcher():
    async def scenario():
        batcher = Doubling(max_batch_cost=3, cost=lambda item: {1: 1, 2: 2}[item])
        return await gathered(*[batcher.process(n) for n in (1, 100, 2)])

    one, raised, two = run_virtually(scenario())
    assert (one, two) == (2, 4)
    assert isinstance(raised, KeyError)


def test_an_exception_of_one_item_is_not_given_to_the_others():
    one, error = run_virtually(both(Echo(), 1, ValueError("bad")))

    assert one == 1
    assert isinstance(error, ValueError)
