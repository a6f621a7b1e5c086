"""Whatever the feed waits for can happen: no run hangs, whatever its records become."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import NotingStore, Stage

from batchmill.errors import Transient
from batchmill.flow import draft, feed, pending
from batchmill.flow.pending import MOST_SKIPPED
from batchmill.formats.codec import Coded
from batchmill.formats.items import ItemWriter
from batchmill.formats.json_reader import JsonReader
from batchmill.options import Retry
from batchmill.records import Block, Mark

BLANK, BROKEN, GOOD, BAD, NOTHING, FLAKY = b"", b"{", b"1", b'"bad"', b"null", b'"flaky"'
KINDS = [BLANK, BROKEN, GOOD, BAD, NOTHING, FLAKY]


class Lines:
    """Raw lines as a source, some in a block."""

    name = "lines"

    def __init__(self, lines, length=7):
        self.lines = lines
        self.length = length

    def identity(self):
        return {}

    def holds(self, mark):
        return True

    def blocks(self, mark):
        for seq in range(mark.seq, len(self.lines), self.length):
            part = self.lines[seq : seq + self.length]
            end = seq + len(part)
            yield Block(Mark(seq, seq), part, Mark(end, end))

    def fraction(self, mark):
        return None


def task(record):
    if record == "bad":
        raise ValueError("bad")
    return record


def played(lines, *, length=7, **options):
    """A run over these lines that is over, or StillRunning."""
    tried = set()

    async def called(record):
        if record == "flaky" and record not in tried:
            tried.add(record)
            raise Transient
        return task(record)

    stage = Stage(called, (), source=Lines(lines, length), horizon_s=120,
                  codec=Coded(JsonReader(), ItemWriter()), **options)  # fmt: skip
    return stage.play()


@pytest.fixture(autouse=True)
def close_bounds(monkeypatch):
    monkeypatch.setattr(pending, "MAX_AHEAD", 8)
    monkeypatch.setattr(draft, "MAX_HELD", 3)
    monkeypatch.setattr(pending, "MAX_WAITING", 2)
    monkeypatch.setattr(feed, "PIECE_MOST", 4)


@pytest.mark.parametrize("order", ["input", "completion"])
@pytest.mark.parametrize("broken", [1, 2, 3])
def test_blank_lines_behind_a_failure_do_not_hold_a_run_up(order, broken):
    stage = played([BROKEN] * broken + [BLANK] * 200 + [GOOD], order=order, systemic_after=4)

    assert stage.failed == list(range(broken))
    assert stage.results == [1]
    assert stage.ended_at < 1


def test_a_broken_setting_is_still_noticed_where_nothing_holds_the_run_up():
    stage = played([BAD, BLANK] * 3 + [BAD] * 10, systemic_after=4)

    assert stage.letters == []
    assert "alike" in str(stage.stop.error)


@pytest.mark.parametrize("order", ["input", "completion"])
def test_a_source_of_blank_lines_has_no_record(order):
    stage = played([BLANK] * 500, order=order)

    assert stage.starts == []
    assert stage.parts.feed.pending.exhausted
    assert stage.store.counts.blank == 500


@pytest.mark.parametrize("limit", [0, 2])
@pytest.mark.parametrize("rate", [None, "3/s"])
def test_a_limit_that_only_blank_lines_follow_is_the_end_of_the_source(limit, rate):
    stage = played([GOOD] * limit + [BLANK] * 40, limit=limit, rate=rate)

    assert stage.parts.feed.pending.exhausted
    assert stage.store.counts.blank == 40
    assert len(stage.results) == limit


def test_a_record_behind_the_limit_is_found_behind_blank_lines_and_not_called():
    stage = played([GOOD] * 2 + [BLANK] * 40 + [GOOD], limit=2)

    assert not stage.parts.feed.pending.exhausted
    assert stage.parts.feed.pending.unread == "the limit is reached"
    assert len(stage.starts) == 2


def test_a_long_stretch_that_is_settled_is_read_over_a_few_blocks_at_a_time():
    store = NotingStore()
    store.progress.settle(1, 3000)

    stage = played([GOOD] * 3001, length=1, store=store)

    assert sorted(start.seq for start in stage.starts) == [0, 3000]
    assert stage.loop.turns > 2999 / MOST_SKIPPED


def test_a_source_that_breaks_while_retries_wait_ends_the_run_when_they_are_through():
    class Torn(Lines):
        def blocks(self, mark):
            yield from super().blocks(mark)
            raise OSError("the tape is torn")

    stage = Stage(_flaky(), (), source=Torn([FLAKY]), codec=Coded(JsonReader(), ItemWriter()),
                  retry=Retry(wait_min_s=50, wait_max_s=50), horizon_s=120)  # fmt: skip
    stage.play()

    assert stage.results == ["flaky"]
    assert isinstance(stage.stop.error, OSError)


def _flaky():
    tried = []

    async def called(record):
        tried.append(record)
        if len(tried) == 1:
            raise Transient
        return record

    return called


@settings(max_examples=150, deadline=None)
@given(
    stretches=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 15)), max_size=12),
    length=st.integers(1, 20),
    order=st.sampled_from(["input", "completion"]),
    concurrency=st.integers(1, 3),
    limit=st.none() | st.integers(0, 20),
    batch_size=st.none() | st.integers(2, 4),
    systemic_after=st.integers(0, 5),
)
def test_every_run_ends_and_says_what_became_of_every_record(
    stretches, length, order, concurrency, limit, batch_size, systemic_after
):
    lines = [line for line, count in stretches for _ in range(count)]
    options = {"order": order, "limit": limit, "concurrency": concurrency}
    stage = _play_any(lines, length, batch_size, systemic_after, options)

    counts, called = stage.store.counts, sum(line != BLANK for line in lines)
    if stage.stop.error is None:
        assert counts.settled == min(called, called if limit is None else limit)
    if stage.parts.feed.pending.exhausted and stage.stop.error is None:
        assert counts.settled + counts.blank == len(lines)
    assert counts.failed == len(stage.letters)


def _play_any(lines, length, batch_size, systemic_after, options):
    if batch_size is None:
        return played(lines, length=length, systemic_after=systemic_after, **options)

    class Batch:
        @staticmethod
        async def process_batch(records):
            return [ValueError(record) if record == "bad" else record for record in records]

    stage = Stage(Batch, (), source=Lines(lines, length), horizon_s=120, batch_size=batch_size,
                  codec=Coded(JsonReader(), ItemWriter()), systemic_after=systemic_after,
                  **options)  # fmt: skip
    return stage.play()
