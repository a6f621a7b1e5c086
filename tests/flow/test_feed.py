"""What is called next, how far the reader may be ahead, and what a resume leaves out."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from stage import NotingStore, Stage

from batchmill.errors import Transient
from batchmill.flow import feed, pending
from batchmill.options import Retry
from batchmill.records import Block, Mark, Requeued
from batchmill.sources.iterable import ITEMS, ItemSource


async def give_back(record):
    return record


class Drawn:
    """An endless iterable that counts how many of its items were drawn."""

    def __init__(self):
        self.count = 0

    def __iter__(self):
        for n in itertools.count():
            self.count += 1
            yield n


class Earlier(NotingStore):
    """What earlier runs have left: settled ranges, and records to be called again."""

    def __init__(self, low_water=0, ranges=(), requeued=()):
        super().__init__()
        for start, stop in ((0, low_water), *ranges):
            self.progress.settle(start, stop)
        self._again = list(requeued)

    def requeued(self):
        return iter(self._again)


class Blocks:
    """A source in blocks of these lengths."""

    name = "blocks"

    def __init__(self, *lengths):
        self.lengths = lengths

    def identity(self):
        return {}

    def holds(self, mark):
        return True

    def blocks(self, mark):
        seq = 0
        for length in self.lengths:
            end = Mark(seq + length, seq + length)
            if end.seq > mark.seq:
                yield Block(Mark(seq, seq), list(range(seq, seq + length)), end)
            seq += length

    def fraction(self, mark):
        return None


def test_every_record_is_called_once_and_in_order():
    stage = Stage(give_back, range(5000), concurrency=1).play()

    assert [start.seq for start in stage.starts] == list(range(5000))
    assert stage.results == list(range(5000))


@pytest.mark.parametrize("items", [[], [7]])
def test_a_source_with_hardly_anything_in_it_is_a_source(items):
    stage = Stage(give_back, items, concurrency=8).play()

    assert stage.results == items
    assert stage.ended_at == 0


def test_an_iterable_is_drawn_as_it_is_needed():
    drawn = Drawn()

    async def task(record):
        await asyncio.sleep(1)
        return record

    Stage(task, drawn, concurrency=3, limit=30).play()

    assert drawn.count <= 2 * ITEMS


def test_as_many_calls_run_at_a_time_as_asked_for_and_never_more():
    running = most = 0

    async def task(record):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1

    stage = Stage(task, range(70), concurrency=7).play()

    assert most == 7
    assert stage.ended_at == pytest.approx(10)


def test_one_slow_record_keeps_only_its_own_slot_busy():
    async def task(record):
        await asyncio.sleep(100 if record == 0 else 1)
        return record

    stage = Stage(task, range(100), concurrency=2).play()

    assert max(start.at for start in stage.starts) <= 99
    assert stage.ended_at == pytest.approx(100)


def test_the_reader_is_not_further_ahead_of_a_straggler_than_is_allowed(monkeypatch):
    monkeypatch.setattr(pending, "MAX_AHEAD", 500)
    monkeypatch.setattr(feed, "PIECE_MOST", 16)
    drawn = Drawn()

    async def task(record):
        await asyncio.sleep(1000 if record == 0 else 0)
        return record

    async def look(stage):
        await asyncio.sleep(900)
        stage.furthest = max(start.seq for start in stage.starts)
        stage.drawn = drawn.count

    stage = Stage(task, drawn, concurrency=4, limit=3000)
    stage.play(look)

    assert 480 <= stage.furthest <= 500 + 16
    assert stage.drawn <= 500 + 16 + ITEMS
    assert sorted(stage.results) == list(range(3000))


def test_a_reader_that_was_held_up_goes_on_as_soon_as_the_straggler_is_done(monkeypatch):
    monkeypatch.setattr(pending, "MAX_AHEAD", 100)

    async def task(record):
        await asyncio.sleep(10 if record == 0 else 500 if record == 1 else 0.001)
        return record

    stage = Stage(task, range(400), concurrency=3).play()

    started_by = {start.seq: start.at for start in stage.starts}
    assert started_by[99] < 10
    assert stage.ended_at < 510
    assert sorted(stage.results) == list(range(400))


@pytest.mark.parametrize("lengths", [(1,), (1, 1, 1), (10, 1, 100), (300,), (7,) * 40])
@pytest.mark.parametrize(
    ("low_water", "ranges"),
    [(0, []), (0, [(1, 2)]), (1, []), (3, [(5, 6), (9, 40)]), (0, [(2, 7), (8, 9), (11, 300)])],
)
def test_a_resume_calls_what_is_not_settled_and_nothing_else(lengths, low_water, ranges):
    store = Earlier(low_water, ranges)
    pending = [n for n in range(sum(lengths)) if n not in store.progress]

    stage = Stage(give_back, (), source=Blocks(*lengths), store=store, concurrency=3).play()

    assert [start.seq for start in stage.starts] == pending
    assert sorted(stage.results) == pending
    assert all(n in store.progress for n in range(sum(lengths)))


def test_records_of_earlier_runs_come_before_the_source():
    again = [Requeued(seq, f"again {seq}") for seq in (3, 5, 900)]

    stage = Stage(give_back, (), source=Blocks(4), store=Earlier(0, [(3, 4)], again), concurrency=1)
    stage.play()

    assert [start.seq for start in stage.starts] == [3, 5, 900, 0, 1, 2]


def test_a_record_of_an_earlier_run_that_succeeds_is_resolved_and_counted_anew():
    again = [Requeued(3, "three"), Requeued(4, "four", was="succeeded"), Requeued(5, "five")]

    async def task(record):
        return None if record == "five" else record

    store = Earlier(6, (), again)
    store.counts.failed, store.counts.succeeded = 2, 4
    stage = Stage(task, (), store=store).play()

    commit = stage.store.commits[-1]
    assert sorted(commit.resolved) == [3, 5]
    assert commit.replaced == [4]
    assert (store.counts.succeeded, store.counts.filtered, store.counts.failed) == (5, 1, 0)
    assert sorted(stage.results) == ["four", "three"]


def test_a_record_that_fails_again_keeps_its_history():
    again = [Requeued(3, "three", attempts=4, first_at="long ago")]

    async def task(record):
        raise Transient

    store = Earlier(4, (), again)
    store.counts.failed = 1
    stage = Stage(task, (), store=store, retry=Retry(max_attempts=2)).play()

    assert [(x.seq, x.attempts, x.first_at) for x in stage.letters] == [(3, 6, "long ago")]
    assert store.counts.failed == 1
    assert [start.attempt for start in stage.starts] == [1, 2]


def test_a_rerun_that_fails_leaves_the_old_result_standing():
    async def task(record):
        raise ValueError

    store = Earlier(4, (), [Requeued(3, "three", was="succeeded")])
    store.counts.succeeded = 4
    stage = Stage(task, (), store=store).play()

    assert stage.letters == []
    assert store.counts.succeeded == 4
    assert stage.parts.desk.letters.failed_reruns == 1


def test_records_that_are_known_to_fail_do_not_keep_new_ones_from_being_called():
    async def task(record):
        if isinstance(record, str):
            raise ValueError
        return record

    again = [Requeued(seq, "bad") for seq in range(25)]
    store = Earlier(25, (), again)
    store.counts.failed = 25
    stage = Stage(task, range(30), store=store, concurrency=2).play()

    assert stage.stop.error is None
    assert sorted(stage.results) == [25, 26, 27, 28, 29]


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 9])
def test_a_limit_counts_records_of_earlier_runs_and_new_ones(limit):
    again = [Requeued(seq, f"again {seq}") for seq in range(3)]

    store = Earlier(3, (), again)
    store.counts.failed = 3
    stage = Stage(give_back, range(10), store=store, limit=limit).play()

    assert len(stage.starts) == limit
    assert len(stage.results) == limit


def test_a_paced_run_wastes_no_start_on_looking_for_records_of_earlier_runs():
    stage = Stage(give_back, range(2), rate="1/h").play()

    assert stage.starts_of(0)[0] < 1
    assert stage.starts_of(1)[0] == pytest.approx(3600, abs=60)


def test_a_paced_run_wastes_no_start_when_the_last_record_of_earlier_runs_is_given_out():
    store = Earlier(1, (), [Requeued(0, "again")])
    store.counts.failed = 1

    stage = Stage(give_back, range(3), store=store, rate="1/h").play()

    assert [start.at // 60 for start in stage.starts] == pytest.approx([0, 60, 120], abs=1.5)


def test_a_source_that_ends_while_all_slots_wait_ends_the_run():
    class Slow(ItemSource):
        """Ends, but not at once."""

        def blocks(self, mark):
            yield from super().blocks(mark)

    stage = Stage(give_back, (), source=Slow(range(3)), concurrency=50).play()

    assert len(stage.results) == 3


def test_what_was_read_before_the_source_broke_is_called_all_the_same():
    def items():
        yield from range(300)
        raise OSError("the tape is torn")

    stage = Stage(give_back, items()).play()

    assert stage.results == list(range(300))
    assert stage.stop.reason == "the source cannot be read further"
    assert isinstance(stage.stop.error, OSError)
