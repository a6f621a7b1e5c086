"""`batchmill.map` yields the outcomes of a function over an iterable, in order, as they come."""

from __future__ import annotations

import itertools
import threading

import pytest

import batchmill
from batchmill import ConfigError, DeadLetter
from batchmill.flow.pending import MAX_AHEAD


class Drawn:
    """Counts how many of its endless items were drawn."""

    def __init__(self):
        self.count = 0

    def __iter__(self):
        for n in itertools.count():
            self.count += 1
            yield n


def square(n):
    return n * n


def odd_ones(n):
    return n if n % 2 else None


def refuse_sevens(n):
    if n % 7 == 0:
        raise ValueError(f"{n} is a multiple of seven")
    return n


async def square_async(n):
    return n * n


@pytest.mark.parametrize("engine", ["async", "thread", "process"])
def test_results_come_in_the_order_of_the_items(engine):
    assert [n * n for n in range(500)] == list(batchmill.map(square, range(500), engine=engine))


def test_coroutines_are_called_too():
    assert [0, 1, 4, 9] == list(batchmill.map(square_async, range(4)))


def test_a_task_may_be_named():
    assert [0.0, 1.0, 2.0] == list(batchmill.map("math:sqrt", [0, 1, 4]))


def test_an_item_without_a_result_yields_none():
    assert [None, 1, None, 3, None] == list(batchmill.map(odd_ones, range(5)))


@pytest.mark.parametrize("engine", ["thread", "process"])
def test_a_failure_is_a_value_and_ends_nothing(engine):
    outcomes = list(batchmill.map(refuse_sevens, range(1, 30), engine=engine))

    letters = [each for each in outcomes if isinstance(each, DeadLetter)]
    assert [7, 14, 21, 28] == [letter.raw for letter in letters]
    assert [6, 13, 20, 27] == [outcomes.index(letter) for letter in letters]
    assert "ValueError" == letters[0].failure.type
    assert "7 is a multiple of seven" == letters[0].failure.message
    assert [n for n in range(1, 30) if n % 7] == [o for o in outcomes if o not in letters]


def test_items_are_drawn_as_they_are_needed():
    items = Drawn()

    first = list(itertools.islice(batchmill.map(square, items), 5))

    assert [0, 1, 4, 9, 16] == first
    assert items.count < 2 * MAX_AHEAD


def test_a_closed_iterator_leaves_no_run_behind():
    outcomes = batchmill.map(square, Drawn())
    next(outcomes)

    outcomes.close()

    assert "batchmill-map" not in [thread.name for thread in threading.enumerate()]


def test_an_error_of_the_items_is_raised_after_what_came_before():
    def items():
        yield 1
        yield 2
        raise OSError("the tape is torn")

    outcomes = batchmill.map(square, items())

    assert [1, 4] == [next(outcomes), next(outcomes)]
    with pytest.raises(OSError, match="the tape is torn"):
        next(outcomes)


def test_a_run_that_has_to_stop_says_why():
    outcomes = batchmill.map(refuse_sevens, [7] * 50)

    with pytest.raises(batchmill.BatchmillError, match="all failed alike"):
        list(outcomes)


@pytest.mark.parametrize("setting", ["sink", "source", "task", "order", "chunksize"])
def test_settings_that_mean_nothing_here_are_refused_at_once(setting):
    with pytest.raises(ConfigError, match=f"map takes no {setting}"):
        batchmill.map(square, [], **{setting: "x"})


def test_no_items_no_results():
    assert [] == list(batchmill.map(square, []))


async def arriving():
    yield 1


@pytest.mark.parametrize("items", [None, 5, arriving()], ids=["none", "number", "async"])
def test_what_nothing_can_be_drawn_from_is_refused_at_once(items):
    with pytest.raises(ConfigError, match="iterable"):
        batchmill.map(square, items)
