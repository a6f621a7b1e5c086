"""A record costs no task, no timer, no lock; and quick records starve nobody."""

from __future__ import annotations

import asyncio

import pytest
from stage import Stage

from batchmill.flow.feed import PIECE_MOST, PIECE_S
from batchmill.records import Block, Mark
from batchmill.sources.iterable import ItemSource

RECORDS = 20_000


async def give_back(record):
    return record


def works(seconds):
    """A coroutine that keeps the processor busy for so long and never suspends."""

    async def task(record):
        asyncio.get_running_loop().now_s += seconds(record) if callable(seconds) else seconds
        return record

    return task


class Turns:
    """Another coroutine of the program, which wants its turns; the times it got them."""

    def __init__(self):
        self.at = []

    async def __call__(self, stage):
        while True:
            self.at.append(stage.now())
            await asyncio.sleep(0)

    @property
    def longest_wait_s(self):
        return max(after - before for before, after in zip(self.at, self.at[1:], strict=False))


class OneBlock(ItemSource):
    """All records at once."""

    def blocks(self, mark):
        items = list(self._items)
        yield Block(Mark(), items, Mark(len(items), len(items)))


def test_a_record_costs_no_timer_and_no_turn_of_the_loop():
    stage = Stage(give_back, range(RECORDS), concurrency=50).play()

    assert len(stage.results) == RECORDS
    assert stage.loop.timers < 20
    assert stage.loop.turns < RECORDS / 50


def test_a_time_limit_costs_a_record_no_timer_and_no_task():
    made = []

    class Counted(Stage):
        def _loop_made(self, loop):
            super()._loop_made(loop)
            loop.set_task_factory(self.make)

        def make(self, loop, work, **more):
            made.append(work)
            return asyncio.Task(work, loop=loop, **more)

    stage = Counted(give_back, range(RECORDS), concurrency=50, timeout_s=10).play()

    assert len(stage.results) == RECORDS
    assert stage.loop.timers < 20
    assert len(made) < 50 * 4


def test_calls_that_wait_cost_no_timer_but_their_own():
    async def task(record):
        await asyncio.sleep(0.02)
        return record

    stage = Stage(task, range(2000), concurrency=20, timeout_s=10).play()

    ticks = stage.ended_at / 0.05
    assert stage.loop.timers <= 2000 + ticks + 20


@pytest.mark.parametrize("concurrency", [1, 50])
def test_records_that_never_suspend_let_other_coroutines_have_their_turns(concurrency):
    others = Turns()

    stage = Stage(works(0.00001), range(RECORDS), concurrency=concurrency)
    stage.play(others)

    assert others.longest_wait_s <= 3 * PIECE_S
    assert len(stage.results) == RECORDS


def test_a_piece_is_sized_by_how_long_records_take():
    others = Turns()

    Stage(works(0.001), range(3000), concurrency=4).play(others)

    assert others.longest_wait_s <= 3 * PIECE_S


def test_records_that_become_slow_let_other_coroutines_have_their_turns():
    others = Turns()

    stage = Stage(works(lambda record: 0.000001 if record < 10_000 else 0.01), range(12_000))
    stage.play(others)

    assert others.longest_wait_s <= 0.1


def test_no_piece_is_longer_than_its_bound():
    longest = 0

    async def task(record):
        nonlocal longest
        longest = max(longest, len(stage.parts.feed._given.records))

    stage = Stage(task, (), source=OneBlock(range(RECORDS)), concurrency=2)
    stage.play()

    assert longest == PIECE_MOST


def test_commits_go_on_while_records_never_suspend():
    stage = Stage(works(0.001), range(3000), concurrency=4, commit_every_s=0.5).play()

    assert len(stage.store.commits) >= 5


def test_time_limits_are_kept_while_other_records_never_suspend():
    async def task(record):
        if record == 0:
            await asyncio.sleep(3600)
        asyncio.get_running_loop().now_s += 0.001
        return record

    stage = Stage(task, range(10_000), concurrency=4, timeout_s=2)
    stage.play()

    assert stage.starts_of(0)[0] == 0
    assert stage.parts.desk.retries >= 1
    assert sorted(stage.results) == list(range(1, 10_000))
