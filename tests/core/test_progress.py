"""Progress is a set of numbers that stays small: compared with a plain set."""

from __future__ import annotations

import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.core.progress import BLOCK, Progress, counted, packed, ranges_of, unpacked
from batchmill.records import OutcomeCode

FAR = 60
ranges = st.tuples(st.integers(0, FAR), st.integers(0, FAR))
seqs = st.lists(st.integers(0, FAR), unique=True)


def spread(found):
    """The numbers of these ranges, one by one."""
    return [seq for start, stop in found for seq in range(start, stop)]


def settled(low_water, steps):
    """The same steps with Progress and with a set."""
    progress, model = Progress(low_water), set(range(low_water))
    for start, stop in steps:
        progress.settle(start, stop)
        model |= set(range(start, stop))
    return progress, model


@given(st.integers(0, 10), st.lists(ranges))
def test_it_contains_just_what_was_settled(low_water, steps):
    progress, model = settled(low_water, steps)

    assert {seq for seq in range(FAR + 2) if seq in progress} == model
    assert progress.settled == len(model)
    assert progress.end == max(model, default=-1) + 1


@given(st.integers(0, 10), st.lists(ranges))
def test_its_low_water_mark_is_the_first_that_is_not_settled(low_water, steps):
    progress, model = settled(low_water, steps)

    assert progress.low_water == next(n for n in range(FAR + 2) if n not in model)
    assert [progress.next_pending(n) for n in range(FAR)] == [
        next(seq for seq in range(n, FAR + 2) if seq not in model) for n in range(FAR)
    ]


@given(st.integers(0, 10), st.lists(ranges), ranges)
def test_gaps_are_what_is_not_settled(low_water, steps, window):
    progress, model = settled(low_water, steps)

    gaps = list(progress.gaps(*window))

    assert spread(gaps) == [seq for seq in range(*window) if seq not in model]
    assert all(start < stop for start, stop in gaps)
    assert all(before[1] < after[0] for before, after in pairwise(gaps))


@given(st.lists(st.integers(0, FAR)), st.randoms(use_true_random=False))
def test_settling_twice_and_in_any_order_is_the_same(numbers, chance):
    once, twice = Progress(), Progress()
    for seq in numbers:
        once.settle(seq, seq + 1)
    shuffled = numbers * 2
    chance.shuffle(shuffled)
    for seq in shuffled:
        twice.settle(seq, seq + 1)

    assert once.low_water == twice.low_water
    assert list(once.gaps(0, FAR + 1)) == list(twice.gaps(0, FAR + 1))


outcomes = st.tuples(st.integers(0, 40), st.integers(0, 8), st.sampled_from(list(OutcomeCode)[1:]))


@given(st.lists(st.lists(outcomes, max_size=6), max_size=6))
def test_what_became_of_each_record_is_read_again_from_the_blocks_that_changed(commits):
    stored, model, low_water = {}, {}, 0
    for commit in commits:
        known = {number: data for number, data in stored.items() if number >= low_water // BLOCK}
        progress = Progress(low_water, known, stored.get)
        for start, count, code in commit:
            # Spread over the borders of blocks.
            start *= BLOCK // 5
            progress.settle(start, start + count, code)
            model |= dict.fromkeys(range(start, start + count), code)
        stored |= dict(progress.take_changed())
        low_water = progress.low_water

    again = Progress(low_water, stored)
    assert {seq: again.code(seq) for seq in model} == model
    sums = [sum(column) for column in zip(*map(counted, stored.values()), strict=True)]
    assert sums[1:] == [list(model.values()).count(code) for code in list(OutcomeCode)[1:]] or (
        not stored
    )


def test_a_straggler_costs_next_to_nothing_however_many_are_settled_beyond_it():
    progress = Progress()
    progress.settle(1, 200_000)

    assert progress.low_water == 0
    assert sum(len(data) for _, data in progress.take_changed()) < 200_000 // 100


def test_the_outcome_of_a_record_takes_no_more_than_half_a_byte():
    chance = random.Random(1)
    codes = bytes(chance.choice(list(OutcomeCode)) for _ in range(BLOCK))

    assert len(packed(codes)) < BLOCK // 2
    assert unpacked(packed(codes)) == codes


def test_blocks_below_the_low_water_mark_are_kept_by_somebody_else():
    progress = Progress()
    progress.settle(0, 10 * BLOCK)
    stored = dict(progress.take_changed())

    progress.settle(10 * BLOCK, 10 * BLOCK + 1)

    assert [number for number, _ in progress.take_changed()] == [10]
    assert len(stored) == 10


@pytest.mark.parametrize("data", [b"", b"nonsense", zlib.compress(b"short"),
                                  zlib.compress(bytes([200]) * BLOCK)])  # fmt: skip
def test_what_is_no_block_is_refused(data):
    with pytest.raises(ValueError, match="block of outcomes"):
        unpacked(data)


@given(seqs)
def test_ranges_of_a_list_hold_just_its_numbers(numbers):
    expected = sorted(numbers)

    found = ranges_of(numbers)

    assert spread(found) == expected
    assert all(before[1] < after[0] for before, after in pairwise(found))


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_numbers_that_follow_each_other_are_one_range(count):
    assert ranges_of(list(range(5, 5 + count))[::-1]) == [(5, 5 + count)]


def test_no_numbers_are_no_range():
    assert ranges_of([]) == []


def test_it_says_where_it_stands():
    progress = Progress(4120)
    for start, stop in ((4125, 4140), (4150, 4160), (4170, 4182)):
        progress.settle(start, stop)

    assert repr(progress) == "<Progress next=4120 ahead=37>"
