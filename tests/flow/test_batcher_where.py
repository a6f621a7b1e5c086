"""Where batches run and calls come from: threads, processes, contexts, event loops, themselves."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from batchers import Doubling, Echo, Slow, gathered
from batchmill.flow.batcher import (
    AsyncBatcher,
    BatchFailed,
    WrongLoop,
    batched,
    current_batch,
)
from virtual_loop import VirtualLoop, run_virtually

USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


class InThread(AsyncBatcher[int, Any]):
    def process_batch(self, batch: list[int]) -> list[Any]:
        return [(2 * item, threading.get_ident()) for item in batch]


class InProcess(AsyncBatcher[int, Any]):
    def __init__(self, factor: int, **options: Any) -> None:
        super().__init__(cost=lambda _: 1, max_batch_cost=10, **options)
        self.factor = factor

    def process_batch(self, batch: list[int]) -> list[Any]:
        if -1 in batch:
            raise StopIteration
        return [(self.factor * item, os.getpid()) for item in batch]


pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@batched(executor=pool)
def tripled_in_process(batch: list[int]) -> list[tuple[int, int]]:
    return [(3 * item, os.getpid()) for item in batch]


class Scaling:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @batched(executor=pool)
    def scaled(self, batch: list[int]) -> list[tuple[int, int]]:
        return [(self.factor * item, os.getpid()) for item in batch]


@pytest.fixture(scope="module", autouse=True)
def _pool_ends():
    yield
    pool.shutdown()


def test_a_plain_process_batch_runs_in_a_thread_of_the_loop():
    async def scenario():
        return await asyncio.gather(*[InThread().process(n) for n in range(3)])

    answers = run_virtually(scenario())
    assert [answer for answer, _ in answers] == [0, 2, 4]
    assert threading.get_ident() not in {thread for _, thread in answers}


def test_a_plain_process_batch_runs_in_the_executor_it_was_given():
    async def scenario(executor):
        return await InThread(executor=executor).process(1)

    with ThreadPoolExecutor(1) as executor:
        thread = executor.submit(threading.get_ident).result()
        assert run_virtually(scenario(executor)) == (2, thread)


def test_a_plain_process_batch_runs_in_another_process():
    async def scenario():
        batcher = InProcess(5, executor=pool)
        answers = await asyncio.gather(*[batcher.process(n) for n in range(3)])
        return answers, await gathered(batcher.process(-1))

    answers, (failure,) = run_virtually(scenario())
    assert [answer for answer, _ in answers] == [0, 5, 10]
    assert os.getpid() not in {process for _, process in answers}
    assert isinstance(failure, BatchFailed)


def test_a_decorated_function_runs_in_another_process():
    async def scenario():
        try:
            return await tripled_in_process(7)
        finally:
            await tripled_in_process.stop()

    answer, process = run_virtually(scenario())
    assert answer == 21
    assert process != os.getpid()


def test_a_decorated_method_runs_in_another_process():
    async def scenario():
        return await Scaling(9).scaled(7)

    answer, process = run_virtually(scenario())
    assert answer == 63
    assert process != os.getpid()


def test_an_exception_in_a_thread_is_its_callers():
    class Failing(AsyncBatcher[int, int]):
        def process_batch(self, batch):
            raise KeyError(batch[0])

    (answer,) = run_virtually(gathered(Failing().process(3)))
    assert isinstance(answer, KeyError)


@pytest.mark.parametrize("error", [StopIteration, SystemExit, KeyboardInterrupt])
def test_what_a_future_cannot_carry_from_a_thread_hangs_nobody(error):
    class Failing(AsyncBatcher[int, int]):
        def process_batch(self, batch):
            raise error

    (answer,) = run_virtually(gathered(Failing().process(3)))
    assert isinstance(answer, BatchFailed)
    assert isinstance(answer.__cause__, error)


def test_a_plain_function_that_returns_something_to_await_is_awaited():
    class Disguised(AsyncBatcher[int, int]):
        def process_batch(self, batch):
            async def answers():
                return batch

            return answers()

    assert run_virtually(Disguised().process(3)) == 3


def test_no_caller_s_context_leaks_into_the_batch():
    class Asking(AsyncBatcher[int, str]):
        async def process_batch(self, batch):
            return [USER.get()] * len(batch)

    async def scenario():
        USER.set("maker")
        batcher = Asking(max_queue_time=0)
        USER.set("first caller")
        return await batcher.process(1), await batcher.process(2)

    assert run_virtually(scenario()) == ("maker", "maker")


@pytest.mark.parametrize("plain", [False, True])
def test_the_context_of_each_caller_can_be_reached(plain):
    def users(batch: list[int]) -> list[str]:
        running = current_batch()
        assert running is not None
        return [context[USER] for (context,) in running.contexts]

    class Asking(AsyncBatcher[int, str]):
        async def process_batch(self, batch):
            return users(batch)

    class AskingInThread(AsyncBatcher[int, str]):
        def process_batch(self, batch):
            return users(batch)

    async def call(batcher, n):
        USER.set(f"user {n}")
        return await batcher.process(n)

    async def scenario():
        batcher = (AskingInThread if plain else Asking)(keep_contexts=True)
        return await asyncio.gather(*[call(batcher, n) for n in range(3)])

    assert run_virtually(scenario()) == ["user 0", "user 1", "user 2"]


def test_callers_who_share_an_item_each_keep_their_context():
    class Asking(AsyncBatcher[int, Any]):
        async def process_batch(self, batch):
            return [{context[USER] for context in sharing} for sharing in current_batch().contexts]

    async def call(batcher, n):
        USER.set(f"user {n}")
        return await batcher.process(n % 2)

    async def scenario():
        batcher = Asking(keep_contexts=True, dedupe=lambda item: item)
        return await asyncio.gather(*[call(batcher, n) for n in range(4)])

    assert run_virtually(scenario())[:2] == [{"user 0", "user 2"}, {"user 1", "user 3"}]


def test_a_batch_knows_its_size_group_reason_and_wait():
    class Asking(AsyncBatcher[int, Any]):
        async def process_batch(self, batch):
            running = current_batch()
            return [(running.size, running.group, running.reason, running.waited_s)] * len(batch)

    async def scenario():
        assert current_batch() is None
        batcher = Asking(max_queue_time=0.5, group_by=str)
        return await batcher.process(7)

    assert run_virtually(scenario()) == (1, "7", "time", 0.5)


def test_the_queue_keeps_no_context_of_callers_who_have_gone():
    async def scenario():
        batcher = Echo(keep_contexts=True)
        calls = [batcher.submit(n) for n in range(5)]
        for call in calls:
            call.cancel()
        del calls, call
        await asyncio.sleep(1)
        return len(batcher._pump.contexts)

    assert run_virtually(scenario()) == 0


def test_other_threads_may_call():
    async def scenario():
        async with Doubling(max_batch_size=3, max_queue_time=60) as batcher:
            calls = [asyncio.to_thread(batcher.process_sync, n) for n in range(3)]
            return await asyncio.gather(*calls), batcher.stats().batches

    assert run_virtually(scenario()) == ([0, 2, 4], 1)


def test_a_thread_gets_the_exception_of_its_item():
    async def scenario():
        async with Echo(max_queue_time=0) as batcher:
            return await gathered(asyncio.to_thread(batcher.process_sync, ValueError("bad")))

    (answer,) = run_virtually(scenario())
    assert isinstance(answer, ValueError)


def test_a_thread_may_set_a_time_limit():
    async def scenario():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with Slow(max_queue_time=0) as batcher:
            call = asyncio.to_thread(batcher.process_sync, 1, timeout=0.25)
            call = asyncio.create_task(call)
            while not batcher.stats().running:
                await asyncio.sleep(0)
            loop.outside_work -= 1  # the clock may go on while the thread waits
            await asyncio.sleep(0.25)
            loop.outside_work += 1
            return await gathered(call)

    (answer,) = run_virtually(scenario())
    assert isinstance(answer, TimeoutError)


def test_process_sync_in_the_loop_is_refused_as_it_would_wait_for_itself():
    async def scenario():
        async with Doubling() as batcher:
            batcher.process_sync(1)

    with pytest.raises(WrongLoop, match="await process"):
        run_virtually(scenario())


def test_process_sync_without_a_loop_to_answer_is_refused():
    batcher = Doubling(max_queue_time=0)
    with pytest.raises(WrongLoop, match="serves no event loop"):
        batcher.process_sync(1)

    run_virtually(batcher.process(1))
    with pytest.raises(WrongLoop, match="serves no event loop"):
        batcher.process_sync(1)


def test_a_thread_does_not_wait_for_a_loop_that_is_closed(monkeypatch):
    monkeypatch.setattr("batchmill.flow.batcher_sync.LOOK_EVERY_S", 0.01)
    batcher = Doubling(max_queue_time=3600)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(batcher.start())
    with ThreadPoolExecutor(1) as executor:
        call = executor.submit(batcher.process_sync, 1)
        while not batcher.stats().waiting:
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        with pytest.raises(WrongLoop, match="was closed"):
            call.result(timeout=10)


def test_a_second_loop_works_after_the_first_is_over():
    batcher = Doubling(max_queue_time=0.01)

    assert [run_virtually(batcher.process(n)) for n in range(3)] == [0, 2, 4]


def test_a_second_loop_works_although_the_first_left_calls_behind():
    async def leave_some():
        for n in range(3):
            batcher.submit(n)
        await asyncio.sleep(0.5)
        batcher.submit(4)

    batcher = Slow(max_queue_time=0)
    run_virtually(leave_some())

    assert run_virtually(batcher.process(7)) == 14
    assert batcher.stats().waiting == batcher.stats().running == 0


def test_a_second_loop_at_the_same_time_is_refused():
    async def scenario():
        async with Doubling(max_queue_time=0) as batcher:
            refusals = await asyncio.to_thread(run_virtually, gathered(batcher.process(1)))
            return refusals, await batcher.process(2)

    (refusal,), answer = run_virtually(scenario())
    assert isinstance(refusal, WrongLoop)
    assert answer == 4


def test_a_thread_without_a_loop_is_refused_even_in_the_middle_of_a_tick():
    async def scenario():
        async with Doubling(max_queue_time=0) as batcher:
            calls = [batcher.submit(1)]
            with ThreadPoolExecutor(1) as executor:
                error = executor.submit(batcher.submit, 2).exception()
            return error, await asyncio.gather(*calls, batcher.process(3))

    error, answers = run_virtually(scenario())
    assert isinstance(error, WrongLoop)
    assert answers == [2, 6]


def test_a_loop_that_pauses_with_calls_in_it_keeps_its_batcher():
    batcher = Slow(max_queue_time=0)
    loop = VirtualLoop()

    async def begin():
        return batcher.submit(1)

    try:
        call = loop.run_until_complete(begin())
        with pytest.raises(WrongLoop):
            run_virtually(batcher.process(2))
        assert loop.run_until_complete(call) == 2
        assert run_virtually(batcher.process(3)) == 6
    finally:
        loop.close()


class Countdown(AsyncBatcher[int, int]):
    """Asks itself for the sum of what is below."""

    async def process_batch(self, batch: list[int]) -> list[int]:
        rest = await asyncio.gather(*[self.process(n - 1) for n in batch if n])
        return [n + (rest.pop(0) if n else 0) for n in batch]


@pytest.mark.parametrize("options", [{}, {"max_queue_time": 60}, {"max_batch_size": 1}])
def test_process_inside_process_batch_does_not_deadlock(options):
    async def scenario():
        batcher = Countdown(**options)
        return await asyncio.gather(*[batcher.process(n) for n in (5, 3, 10)])

    assert run_virtually(scenario()) == [15, 6, 55]


def test_a_slot_that_was_lent_is_not_there_twice_afterwards():
    class NestingOnce(Slow):
        running = peak = 0

        async def process_batch(self, batch):
            if batch == [0]:
                return [await self.process(100)]
            self.running += 1
            self.peak = max(self.peak, self.running)
            answers = await super().process_batch(batch)
            self.running -= 1
            return answers

    async def scenario():
        batcher = NestingOnce(max_batch_size=1, max_queue_time=0)
        await batcher.process(0)
        await asyncio.gather(*[batcher.process(n) for n in range(1, 6)])
        return batcher.peak

    assert run_virtually(scenario()) == 1


def test_process_inside_process_batch_works_while_the_batcher_stops():
    async def scenario():
        batcher = Countdown()
        call = batcher.submit(4)
        await batcher.stop()
        return call.result()

    assert run_virtually(scenario()) == 10


def test_process_inside_process_batch_finds_room_in_a_full_queue():
    async def scenario():
        batcher = Countdown(max_queue_size=1, max_batch_size=1, when_full="wait")
        return await asyncio.gather(*[batcher.process(n) for n in (5, 3, 10)])

    assert run_virtually(scenario()) == [15, 6, 55]


def test_two_batchers_that_call_each_other_do_not_deadlock():
    class Ping(AsyncBatcher[int, int]):
        other: AsyncBatcher[int, int]

        async def process_batch(self, batch):
            below = await asyncio.gather(*[self.other.process(n - 1) for n in batch if n > 0])
            return [1 + below.pop(0) if n > 0 else 0 for n in batch]

    async def scenario():
        ping, pong = Ping(), Ping()
        ping.other, pong.other = pong, ping
        return await asyncio.gather(*[ping.process(n) for n in (7, 4)])

    assert run_virtually(scenario()) == [7, 4]


def test_process_sync_inside_a_plain_process_batch_does_not_deadlock():
    class Nesting(AsyncBatcher[int, int]):
        def process_batch(self, batch):
            return [n + self.process_sync(n - 1) if n else 0 for n in batch]

    assert run_virtually(Nesting(max_queue_time=0).process(4)) == 10


def test_a_task_that_outlives_its_batch_waits_for_a_slot_like_others():
    class Spawning(Doubling):
        late: Any = None

        async def process_batch(self, batch):
            if self.late is None:
                self.late = asyncio.create_task(self.call_later())
            else:
                await asyncio.sleep(1)
            return await super().process_batch(batch)

        async def call_later(self):
            await asyncio.sleep(0.5)
            return await self.process(100)

    async def scenario():
        batcher = Spawning(max_queue_time=0)
        await batcher.process(1)
        await asyncio.sleep(0.4)
        call = batcher.submit(2)
        await call
        late = await batcher.late
        return late, batcher.called_at[2] - batcher.called_at[1]

    assert run_virtually(scenario()) == (200, 1.0)


def test_a_batch_that_is_cancelled_before_it_begins_answers_its_callers():
    async def scenario():
        batcher = Doubling(max_batch_size=1, max_queue_time=0)
        call = batcher.submit(1)
        await asyncio.sleep(0)
        (running,) = batcher._pump.running
        running.task.cancel()
        return await gathered(call), await batcher.process(2)

    (answer,), other = run_virtually(scenario())
    assert isinstance(answer, BatchFailed)
    assert other == 4


def test_a_worker_s_copy_says_what_it_is():
    import pickle

    batcher = InProcess(3)
    copy = pickle.loads(pickle.dumps(batcher))

    assert copy.process_batch([2])[0][0] == 6
    assert repr(copy) == "<InProcess copy in a worker process>"
