"""Progress is a set of numbers that stays small: compared with a plain set."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.core.progress import Progress, ranges_of

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
def test_its_ranges_are_in_order_and_do_not_touch(low_water, steps):
    progress, model = settled(low_water, steps)

    edges = [(-1, progress.low_water), *progress.ranges]
    assert all(stop < start for (_, stop), (start, _) in pairwise(edges))
    assert all(start < stop for start, stop in progress.ranges)
    assert progress.low_water == next(n for n in range(FAR + 2) if n not in model)


@given(st.integers(0, 10), st.lists(ranges), ranges)
def test_gaps_are_what_is_not_settled(low_water, steps, window):
    progress, model = settled(low_water, steps)

    gaps = list(progress.gaps(*window))

    assert spread(gaps) == [seq for seq in range(*window) if seq not in model]
    assert all(start < stop for start, stop in gaps)
    assert all(before[1] < after[0] for before, after in pairwise(gaps))


@given(st.integers(0, 10), st.lists(ranges))
def test_it_is_made_again_from_its_low_water_mark_and_its_ranges(low_water, steps):
    progress, _ = settled(low_water, steps)

    again = Progress(progress.low_water, progress.ranges)

    assert (again.low_water, again.ranges) == (progress.low_water, progress.ranges)


@given(st.lists(st.integers(0, FAR)), st.randoms(use_true_random=False))
def test_settling_twice_and_in_any_order_is_the_same(numbers, chance):
    once, twice = Progress(), Progress()
    for seq in numbers:
        once.settle(seq, seq + 1)
    shuffled = numbers * 2
    chance.shuffle(shuffled)
    for seq in shuffled:
        twice.settle(seq, seq + 1)

    assert (once.low_water, once.ranges) == (twice.low_water, twice.ranges)


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


@given(st.integers(1, 20), st.randoms(use_true_random=False))
def test_its_size_is_bounded_by_what_is_in_flight(in_flight, chance):
    progress, flying, largest = Progress(), list(range(in_flight)), 0
    for seq in range(in_flight, 500):
        done = flying.pop(chance.randrange(in_flight))
        progress.settle(done, done + 1)
        largest = max(largest, len(progress.ranges))
        flying.append(seq)

    assert largest <= in_flight
    assert progress.settled == 500 - in_flight


def test_a_straggler_costs_one_range_however_many_are_settled_beyond_it():
    progress = Progress()
    for seq in range(1, 20_000):
        progress.settle(seq, seq + 1)

    assert (progress.low_water, progress.ranges) == (0, [(1, 20_000)])


def test_it_says_where_it_stands():
    progress = Progress(4120)
    for start, stop in ((4125, 4140), (4150, 4160), (4170, 4182)):
        progress.settle(start, stop)

    assert repr(progress) == "<Progress next=4120 ahead=37 in 3 ranges>"
