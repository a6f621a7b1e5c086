"""Any iterable is a source: drawn as it is needed, and known again by a later run."""

from __future__ import annotations

import itertools
import json

import pytest

from batchmill import Job, run
from batchmill.errors import Changed
from batchmill.formats.encode import encode_value
from batchmill.records import Mark
from batchmill.sources.iterable import ITEMS, ItemSource, JsonItemSource

PEOPLE = [{"n": n} for n in range(1000)]


def once(items):
    """The same items, to be drawn but once."""
    return (item for item in items)


def run_twice(tmp_path, first, second, *, limit=50, **settings):
    """Run a job on `first`, up to `limit` records, and again on `second`; the report and the n's
    of the results."""
    sink = tmp_path / "out.jsonl"
    run(Job(source=first, task=lambda record: record, sink=sink, limit=limit, **settings))
    report = run(Job(source=second, task=lambda record: record, sink=sink, **settings))
    return report, sorted(json.loads(line)["n"] for line in sink.read_text().splitlines())


@pytest.mark.parametrize("draw", [list, once])
@pytest.mark.parametrize("limit", [1, 256, 999])
def test_the_same_items_go_on_where_they_were_left(tmp_path, draw, limit):
    report, results = run_twice(tmp_path, draw(PEOPLE), draw(PEOPLE), limit=limit)

    assert report.state == "completed"
    assert report.already_settled == limit
    assert results == list(range(1000))


@pytest.mark.parametrize("draw", [list, once])
@pytest.mark.parametrize("limit", [50, 1000])
def test_items_that_were_added_at_the_end_are_new_records(tmp_path, draw, limit):
    more = [*PEOPLE, {"n": 1000}, {"n": 1001}]

    report, results = run_twice(tmp_path, draw(PEOPLE), draw(more), limit=limit)

    assert report.state == "completed"
    assert results == list(range(1002))


CHANGED = {
    "one more at the front": [{"n": -1}, *PEOPLE],
    "one less at the front": PEOPLE[1:],
    "another first one": [{"n": -1}, *PEOPLE[1:]],
    "another one that was read and not called": [*PEOPLE[:200], {"n": -1}, *PEOPLE[201:]],
    "fewer than were read": PEOPLE[:100],
    "none at all": [],
    "in another order": PEOPLE[::-1],
}


@pytest.mark.parametrize("items", CHANGED.values(), ids=CHANGED)
def test_items_that_are_not_what_they_were_are_refused_before_any_is_called(tmp_path, items):
    with pytest.raises(Changed):
        run_twice(tmp_path, PEOPLE, items)

    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 50


@pytest.mark.parametrize("items", CHANGED.values(), ids=CHANGED)
def test_items_that_come_but_once_are_compared_before_any_is_called(tmp_path, items):
    called = []
    sink = tmp_path / "out.jsonl"
    run(Job(source=PEOPLE, task=lambda record: record, sink=sink, limit=50))

    report = run(Job(source=once(items), task=called.append, sink=sink))

    assert report.state == "aborted"
    assert "not those of the earlier run" in report.reason
    assert called == []


def test_with_a_key_changed_items_are_found_again(tmp_path):
    items = [{"n": -1}, *PEOPLE[::-1]]

    report, results = run_twice(tmp_path, PEOPLE, items, key="n")

    assert report.state == "completed"
    assert results == [-1, *range(1000)]


def test_an_endless_iterable_is_drawn_as_it_is_needed():
    drawn = itertools.count()

    report = run(Job(source=drawn, task=lambda n: n, limit=10))

    assert sorted(report.results) == list(range(10))
    assert next(drawn) <= 2 * ITEMS


def test_items_that_were_drawn_before_an_error_are_handed_out():
    def broken():
        yield from range(300)
        raise OSError("gone")

    blocks = ItemSource(broken()).blocks(Mark())
    seen = [*next(blocks).records, *next(blocks).records]

    assert seen == list(range(300))
    with pytest.raises(OSError, match="gone"):
        next(blocks)


@pytest.mark.parametrize("seq", [0, 1, 255, 256, 257, 600, 1000])
def test_reading_goes_on_at_any_record(seq):
    whole = list(JsonItemSource(PEOPLE, encode_value).blocks(Mark()))
    lines = [line for block in whole for line in block.records]
    cut = JsonItemSource(PEOPLE, encode_value)._cut([PEOPLE], seq)
    mark = next((block.end for block in cut if block.end.seq == seq), Mark())

    source = JsonItemSource(once(PEOPLE), encode_value)
    blocks = list(source.blocks(mark))

    assert [line for block in blocks for line in block.records] == lines[seq:]
    assert all(block.mark == before.end for before, block in itertools.pairwise(blocks))
    assert source.holds(mark)


def test_an_item_that_json_cannot_carry_is_a_dead_letter_that_says_so(tmp_path):
    sink = tmp_path / "out.jsonl"
    items = [{"n": 1}, {"n": {1, 2}}, {"n": 3}]

    report = run(Job(source=items, task=lambda record: record, sink=sink))

    assert (report.succeeded, report.failed) == (2, 1)
    letter = json.loads((tmp_path / "out.errors.jsonl").read_text())
    assert "set" in letter["error"]["message"]


def test_items_are_handed_to_the_task_as_they_are_when_nothing_is_kept():
    items = [object(), {1, 2}, lambda: None, b"bytes", float("nan")]

    report = run(Job(source=items, task=lambda item: [item]))

    assert report.succeeded == 5


def test_how_much_is_done_is_known_for_what_has_a_length():
    assert ItemSource([1, 2, 3, 4]).fraction(Mark(1, 1)) == 0.25
    assert ItemSource(once([1, 2])).fraction(Mark(1, 1)) is None
    assert ItemSource([]).fraction(Mark()) is None
