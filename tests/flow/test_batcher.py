"""When batches go, what they hold, what is refused, what is counted."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest

from batchers import Doubling, Slow, gathered, now
from batchmill.errors import ConfigError
from batchmill.flow.batcher import AsyncBatcher, ItemTooCostly, QueueFullException, WrongLoop
from virtual_loop import START_S, VirtualLoop, run_virtually


def test_each_caller_gets_its_own_result():
    async def scenario():
        batcher = Doubling(max_batch_size=3)
        return await asyncio.gather(*[batcher.process(n) for n in range(100)])

    assert run_virtually(scenario()) == [2 * n for n in range(100)]


def test_submit_and_process_share_batches():
    async def scenario():
        batcher = Doubling()
        answers = await asyncio.gather(batcher.submit(1), batcher.process(2), batcher.submit(3))
        return answers, batcher.batches

    answers, batches = run_virtually(scenario())
    assert answers == [2, 4, 6]
    assert sorted(batches[0]) == [1, 2, 3]


def test_a_batch_waits_for_its_oldest_item_and_no_longer():
    async def scenario():
        batcher = Doubling(max_queue_time=0.2)
        first = batcher.submit(1)
        await asyncio.sleep(0.15)
        second = batcher.submit(2)
        await asyncio.gather(first, second)
        return batcher

    batcher = run_virtually(scenario())
    assert batcher.batches == [[1, 2]]
    assert batcher.called_at == [pytest.approx(START_S + 0.2)]


def test_a_full_batch_does_not_wait():
    async def scenario():
        batcher = Doubling(max_queue_time=60.0, max_batch_size=2)
        await asyncio.gather(*[batcher.process(n) for n in range(4)])
        return batcher

    batcher = run_virtually(scenario())
    assert batcher.batches == [[0, 1], [2, 3]]
    assert batcher.called_at == [START_S, START_S]


def test_no_wait_means_the_end_of_the_tick():
    async def scenario():
        batcher = Doubling(max_queue_time=0)
        await asyncio.gather(*[batcher.process(n) for n in range(5)])
        await batcher.process(5)
        return batcher

    batcher = run_virtually(scenario())
    assert batcher.batches == [[0, 1, 2, 3, 4], [5]]
    assert batcher.called_at == [START_S, START_S]


def test_an_endless_wait_ends_with_a_full_batch_or_with_the_batcher():
    async def scenario():
        async with Doubling(max_queue_time=math.inf, max_batch_size=2, dispatch="due") as batcher:
            calls = [batcher.submit(n) for n in range(3)]
            await asyncio.sleep(3600)
            done = [call.done() for call in calls]
        return done, await asyncio.gather(*calls)

    assert run_virtually(scenario()) == ([True, True, False], [0, 2, 4])


def test_no_batch_is_sealed_while_no_slot_is_free():
    async def scenario():
        batcher = Slow(max_queue_time=0.01, max_batch_size=3)
        calls = [batcher.submit(0)]
        for n in range(1, 8):
            await asyncio.sleep(0.1)
            calls.append(batcher.submit(n))
        await asyncio.gather(*calls)
        return batcher

    batcher = run_virtually(scenario())
    assert batcher.batches == [[0], [1, 2, 3], [4, 5, 6], [7]]


def test_when_a_slot_frees_everything_waiting_goes():
    async def scenario():
        batcher = Slow(max_queue_time=60.0, max_batch_size=5)
        calls = [batcher.submit(n) for n in range(5)]
        await asyncio.sleep(0.5)
        calls += [batcher.submit(n) for n in range(5, 8)]
        await asyncio.gather(*calls)
        return batcher

    batcher = run_virtually(scenario())
    assert batcher.batches == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert batcher.called_at[1] == START_S + 1.0
    assert batcher.stats().released["idle"] == 1


def test_callers_who_call_again_at_once_end_up_in_one_batch():
    async def caller(batcher, start_s):
        await asyncio.sleep(start_s)
        for n in range(10):
            await batcher.process(n)

    async def scenario():
        batcher = Slow(max_queue_time=0)
        await asyncio.gather(caller(batcher, 0), *[caller(batcher, 0.1) for _ in range(9)])
        return [len(batch) for batch in batcher.batches]

    assert run_virtually(scenario()) == [1, 10, 10, 10, 10, 10, 10, 10, 10, 10, 9]


def test_dispatch_when_due_waits_the_full_time_though_a_slot_frees():
    async def scenario():
        batcher = Slow(max_queue_time=60.0, max_batch_size=5, dispatch="due")
        calls = [batcher.submit(n) for n in range(5)]
        await asyncio.sleep(0.5)
        calls += [batcher.submit(n) for n in range(5, 8)]
        await asyncio.gather(*calls)
        return batcher.called_at[1] - START_S

    assert run_virtually(scenario()) == 60.5


def test_dispatch_when_idle_does_not_wait_for_others():
    async def scenario():
        batcher = Slow(max_queue_time=60.0, dispatch="idle")
        calls = [batcher.submit(0), batcher.submit(1)]
        await asyncio.sleep(0.5)
        calls += [batcher.submit(2), batcher.submit(3)]
        await asyncio.gather(*calls)
        return batcher

    batcher = run_virtually(scenario())
    assert batcher.batches == [[0, 1], [2, 3]]
    assert batcher.called_at == [START_S, START_S + 1.0]


def test_an_automatic_wait_spaces_batches_only_while_there_is_load():
    async def callers(batcher, count, gap_s):
        calls = []
        for n in range(count):
            calls.append(batcher.submit(n))
            await asyncio.sleep(gap_s)
        await asyncio.gather(*calls)

    async def scenario():
        batcher = Slow(max_queue_time="auto", concurrency=4)
        await callers(batcher, 20, 2.0)
        alone = len(batcher.batches)
        await callers(batcher, 400, 0.01)
        return alone, len(batcher.batches) - alone, batcher.called_at[-4:]

    alone, spaced, last_at = run_virtually(scenario())
    assert alone == 20
    assert spaced <= 30
    assert all(0.2 <= later - sooner <= 0.3 for sooner, later in pairwise(last_at))


def test_an_automatic_wait_ends_although_nothing_else_happens():
    class FiveSeconds:
        """Waits that long whatever happens."""

        def next_at(self) -> float:
            return START_S + 5.0

        def arrived(self, *_) -> None: ...

        started = ran = arrived

    async def scenario():
        batcher = Doubling(max_queue_time="auto", concurrency=2)
        batcher._pump._patience = FiveSeconds()
        await batcher.process(1)
        return batcher.called_at

    assert run_virtually(scenario()) == [START_S + 5.0]


def test_an_automatic_wait_ends_when_the_batcher_stops():
    async def scenario():
        batcher = Slow(max_queue_time="auto", concurrency=2)
        calls = [batcher.submit(n) for n in range(3)]
        await batcher.stop()
        return [call.result() for call in calls]

    assert run_virtually(scenario()) == [0, 2, 4]


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3), (-1, 10)])
def test_as_many_batches_run_as_there_are_slots(concurrency, most):
    running = peak = 0

    class Counting(AsyncBatcher[int, int]):
        async def process_batch(self, batch):
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(1)
            running -= 1
            return batch

    async def scenario():
        batcher = Counting(max_batch_size=1, concurrency=concurrency)
        await asyncio.gather(*[batcher.process(n) for n in range(10)])

    run_virtually(scenario())
    assert peak == most


def test_a_full_queue_refuses():
    async def scenario():
        batcher = Slow(max_queue_size=2, max_batch_size=2, max_queue_time=0)
        running = batcher.submit(0)
        await asyncio.sleep(0.1)
        waiting = [batcher.submit(n) for n in (1, 2)]
        answers = await gathered(batcher.process(3))
        with pytest.raises(QueueFullException):
            batcher.submit(4)
        return answers, await asyncio.gather(running, *waiting), batcher.stats().refused

    (refusal,), answers, refused = run_virtually(scenario())
    assert isinstance(refusal, QueueFullException)
    assert answers == [0, 2, 4]
    assert refused == 2


def test_a_full_queue_refuses_within_one_tick():
    async def scenario():
        batcher = Doubling(max_queue_size=5, max_batch_size=2)
        answers = await gathered(*[batcher.process(n) for n in range(8)])
        return [type(answer) for answer in answers]

    assert run_virtually(scenario()) == [int] * 5 + [QueueFullException] * 3


def test_a_full_queue_lets_its_callers_wait_in_order():
    async def scenario():
        batcher = Slow(max_queue_size=2, max_batch_size=2, max_queue_time=0, when_full="wait")
        answers = await asyncio.gather(*[batcher.process(n) for n in range(9)])
        return answers, batcher.batches

    answers, batches = run_virtually(scenario())
    assert answers == [2 * n for n in range(9)]
    assert [item for batch in batches for item in batch] == list(range(9))


def test_a_full_queue_goes_although_no_batch_is_full():
    async def scenario():
        batcher = Doubling(
            max_queue_size=3, max_batch_size=100, max_queue_time=math.inf, when_full="wait"
        )
        return await asyncio.gather(*[batcher.process(n) for n in range(9)])

    assert run_virtually(scenario()) == [2 * n for n in range(9)]


def test_callers_who_have_gone_leave_room_in_a_full_queue():
    async def scenario():
        batcher = Slow(max_queue_size=2, max_queue_time=0)
        running = batcher.submit(0)
        await asyncio.sleep(0.1)
        for call in [batcher.submit(1), batcher.submit(2)]:
            call.cancel()
        return await asyncio.gather(running, batcher.submit(3)), batcher.stats().left

    assert run_virtually(scenario()) == ([0, 6], 2)


def test_an_item_that_costs_more_than_a_batch_may_fails_at_once():
    async def scenario():
        batcher = Doubling(max_batch_cost=10, cost=lambda item: item)
        with pytest.raises(ItemTooCostly, match="costs 11; a batch may cost 10"):
            batcher.submit(11)
        return await batcher.process(10), batcher.batches

    assert run_virtually(scenario()) == (20, [[10]])


def test_a_raising_cost_function_fails_its_caller_only():
    async def scenario():
        batcher = Doubling(max_batch_cost=10, cost=lambda item: 1 / item)
        return await gathered(batcher.process(1), batcher.process(0), batcher.process(2))

    one, zero, two = run_virtually(scenario())
    assert (one, two) == (2, 4)
    assert isinstance(zero, ZeroDivisionError)


def test_the_cost_of_an_item_is_its_length_unless_said_otherwise():
    class Joining(AsyncBatcher[str, str]):
        async def process_batch(self, batch):
            return ["".join(batch)] * len(batch)

    async def scenario():
        batcher = Joining(max_batch_cost=5)
        return await asyncio.gather(*[batcher.process(text) for text in ("aa", "bb", "cc")])

    assert run_virtually(scenario()) == ["aabb", "aabb", "cc"]


def test_groups_fill_on_their_own():
    async def scenario():
        batcher = Doubling(group_by=lambda item: item % 2, max_batch_size=3)
        await asyncio.gather(*[batcher.process(n) for n in range(7)])
        return batcher.batches

    assert run_virtually(scenario()) == [[0, 2, 4], [1, 3, 5], [6]]


def test_a_group_that_cannot_be_a_key_fails_its_caller_only():
    async def scenario():
        batcher = Doubling(group_by=lambda item: [] if item == 2 else item)
        return await gathered(batcher.process(1), batcher.process(2))

    one, two = run_virtually(scenario())
    assert one == 2
    assert isinstance(two, TypeError)


def test_the_higher_priority_goes_first():
    async def scenario():
        batcher = Slow(priorities=True, max_batch_size=2, max_queue_time=0)
        calls = [batcher.submit(n, priority=n) for n in range(6)]
        await asyncio.gather(*calls)
        return batcher.batches

    assert run_virtually(scenario()) == [[5, 4], [3, 2], [1, 0]]


def test_a_low_priority_is_not_starved_by_a_stream_of_higher_ones():
    async def scenario():
        batcher = Slow(priorities=True, ageing=2.0, max_batch_size=1, max_queue_time=0)
        patient = batcher.submit(0)
        patient.add_done_callback(lambda _: answered_at.append(now()))
        calls = []
        for _ in range(30):
            calls.append(batcher.submit(1, priority=3))
            await asyncio.sleep(0.5)
        await asyncio.gather(patient, *calls)

    answered_at: list[float] = []
    run_virtually(scenario())
    assert answered_at[0] - START_S <= 2.0 * 3 / 0.5 + 2.0


def test_a_priority_is_refused_where_it_would_not_be_heard():
    async def scenario():
        await Doubling().process(1, priority=3)

    with pytest.raises(ValueError, match="priorities=True"):
        run_virtually(scenario())


def test_equal_items_are_run_once_and_answer_all_their_callers():
    async def scenario():
        batcher = Doubling(dedupe=lambda item: item)
        calls = [batcher.submit(n % 3) for n in range(9)]
        assert len(set(calls)) == 9
        return await asyncio.gather(*calls), batcher.batches

    answers, batches = run_virtually(scenario())
    assert answers == [0, 2, 4] * 3
    assert batches == [[0, 1, 2]]


def test_one_of_several_callers_of_an_item_may_leave():
    async def scenario():
        batcher = Doubling(dedupe=lambda item: item)
        first, second = batcher.submit(7), batcher.submit(7)
        first.cancel()
        return await second, batcher.batches

    assert run_virtually(scenario()) == (14, [[7]])


def test_everything_at_once():
    async def scenario():
        batcher = Doubling(
            group_by=lambda item: item % 2,
            dedupe=lambda item: item,
            cost=lambda item: item,
            max_batch_cost=20,
            max_batch_size=3,
            priorities=True,
            max_queue_size=8,
            when_full="wait",
            concurrency=2,
            keep_contexts=True,
        )
        items = [n % 20 for n in range(100)]
        return await asyncio.gather(*[batcher.process(n, priority=n % 3) for n in items]), items

    answers, items = run_virtually(scenario())
    assert answers == [2 * n for n in items]


@pytest.mark.parametrize(
    "option",
    [
        {"max_batch_size": 0},
        {"max_batch_size": None},
        {"max_batch_size": 2.5},
        {"max_queue_time": None},
        {"max_queue_time": -1},
        {"max_queue_time": math.nan},
        {"concurrency": 0},
        {"concurrency": -2},
        {"max_queue_size": -2},
        {"max_batch_cost": 0},
        {"cost": len},
        {"padded": True},
        {"max_batch_cost": 1, "cost": 3},
        {"ageing": 0},
        {"when_full": "drop"},
        {"dispatch": "now"},
        {"dispatch": "due", "max_queue_time": "auto"},
    ],
)
def test_an_option_out_of_range_is_named(option):
    with pytest.raises(ConfigError, match="|".join(option)):
        Doubling(**option)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="sleep_time"):
        Doubling(sleep_time=3)


def test_a_batcher_without_process_batch_cannot_be_made():
    with pytest.raises(TypeError, match="process_batch"):
        AsyncBatcher()


def test_the_settings_can_be_read():
    batcher = Doubling(max_batch_size=1, max_queue_time=2, concurrency=3, max_queue_size=4)

    assert batcher.max_batch_size == 1
    assert batcher.max_queue_time == 2
    assert batcher.concurrency == 3
    assert batcher.max_queue_size == 4
    assert batcher.executor is None


def test_it_says_where_it_stands():
    async def scenario():
        batcher = Slow(max_batch_size=2, concurrency=2, max_queue_time=0)
        states = [repr(batcher)]
        calls = [batcher.submit(n) for n in range(5)]
        await asyncio.sleep(0.5)
        states.append(repr(batcher))
        await asyncio.gather(*calls)
        await batcher.stop()
        return [*states, repr(batcher)]

    assert run_virtually(scenario()) == [
        "<Slow open waiting=0 running=0/2 items=0 batches=0>",
        "<Slow open waiting=1 running=2/2 items=4 batches=2>",
        "<Slow stopped waiting=0 running=0/2 items=5 batches=3>",
    ]


def test_it_counts_batches_sizes_waits_and_runs():
    async def scenario():
        batcher = Slow(max_batch_size=3, max_queue_time=0.5)
        await asyncio.gather(*[batcher.process(n) for n in range(3)])
        await batcher.process(3)
        last = batcher.submit(4)
        await batcher.stop()
        await last
        return batcher.stats()

    stats = run_virtually(scenario())
    assert (stats.items, stats.batches, stats.calls, stats.failed) == (5, 3, 3, 0)
    assert (stats.waiting, stats.running, stats.left) == (0, 0, 0)
    assert stats.released == {"size": 1, "cost": 0, "time": 1, "idle": 0, "flush": 1}
    assert stats.batch_size.mean == pytest.approx(5 / 3)
    assert stats.wait_s.total == pytest.approx(0.5)
    assert stats.run_s.mean == pytest.approx(1.0)
    assert sum(stats.run_s.counts) == 3


def test_a_thousand_calls_cost_a_task_a_batch_and_one_timer_at_most():
    async def scenario():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        batcher = Doubling(max_batch_size=100)
        turns, timers = loop.turns, loop.timers
        await asyncio.gather(*[batcher.submit(n) for n in range(1000)])
        return loop.turns - turns, loop.timers - timers, batcher.stats().batches

    turns, timers, batches = run_virtually(scenario())
    assert batches == 10
    assert turns <= 2 * batches + 3
    assert timers <= 1


def test_submit_outside_a_loop_says_what_to_do():
    with pytest.raises(WrongLoop, match="process_sync"):
        Doubling().submit(1)
