"""What cannot be put in order, added up or compared is refused at once, and harms nobody else."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from fractions import Fraction
from math import inf, nan

import pytest

from batchmill.errors import ConfigError
from batchmill.flow.batcher import AsyncBatcher, ItemTooCostly
from virtual_loop import run_virtually


class Echo(AsyncBatcher):
    """Gives back what it gets, and remembers the batches."""

    def __init__(self, **options):
        super().__init__(**options)
        self.batches = []

    async def process_batch(self, batch):
        self.batches.append(batch)
        return batch


def outcomes(batcher, *calls):
    """What each of these calls, made at the same time as `process(*arguments)`, comes to."""

    async def scenario():
        async with batcher:
            made = [batcher.process(*call) for call in calls]
            return await asyncio.gather(*made, return_exceptions=True)

    return run_virtually(scenario())


@pytest.mark.parametrize("options", [{}, {"priorities": True}])
@pytest.mark.parametrize(
    ("priority", "error"),
    [(nan, ValueError), (None, TypeError), ("1", TypeError), ("", TypeError), (1j, TypeError)],
)
def test_a_priority_without_an_order_is_refused(options, priority, error):
    refused, fine = outcomes(Echo(**options), ("a", priority), ("b",))

    assert isinstance(refused, error)
    assert "priority = " in str(refused)
    assert fine == "b"


def test_priorities_of_any_kind_of_number_have_an_order():
    batcher = Echo(priorities=True, max_batch_size=5)
    priorities = [-inf, 0, Fraction(1, 2), True, inf]

    outcomes(batcher, *enumerate(priorities))

    assert [[4, 3, 2, 1, 0]] == batcher.batches


@pytest.mark.parametrize("limit", [10, inf])
@pytest.mark.parametrize("cost", [nan, -1, inf, -inf])
def test_a_cost_that_cannot_be_added_up_is_refused(limit, cost):
    refused, fine = outcomes(Echo(max_batch_cost=limit, cost=float), (cost,), (1,))

    assert isinstance(refused, ItemTooCostly)
    assert fine == 1


@pytest.mark.parametrize("cost", [None, "1", 1j])
def test_a_cost_that_is_no_number_is_refused(cost):
    refused, fine = outcomes(Echo(max_batch_cost=10, cost=lambda it: it), (cost,), (1,))

    assert isinstance(refused, TypeError)
    assert fine == 1


def test_costs_of_different_kinds_of_numbers_are_added_up():
    batcher = Echo(max_batch_cost=4, cost=lambda it: it)

    assert [Decimal(3), Fraction(1), 2.5] == outcomes(
        batcher, (Decimal(3),), (Fraction(1),), (2.5,)
    )
    assert [[3, 1], [2.5]] == batcher.batches


@pytest.mark.parametrize("call", [Echo().process, Echo().submit])
def test_a_time_limit_that_never_comes_is_refused(call):
    async def scenario():
        with pytest.raises(ConfigError, match="timeout = nan"):
            await call("a", timeout=nan)

    run_virtually(scenario())


def test_a_stop_with_a_time_limit_that_never_comes_stops_nothing():
    async def scenario():
        batcher = Echo()
        waiting = batcher.submit("a")
        with pytest.raises(ConfigError, match="timeout = nan"):
            await batcher.stop(timeout=nan)
        return await waiting, await batcher.process("b")

    assert ("a", "b") == run_virtually(scenario())


class Key:
    """A key that can be spoilt: all have the same hash at first, and compare by name."""

    def __init__(self, name, *, hashed=1, comparable=True):
        self.name = name
        self.hashed = hashed
        self.comparable = comparable

    def __hash__(self):
        return self.hashed

    def __eq__(self, other):
        if not (self.comparable and other.comparable):
            raise ArithmeticError("not to be compared")
        return self.name == other.name

    def spoil(self):
        self.hashed += 1
        self.comparable = False


KINDS = pytest.mark.parametrize("kind", ["group_by", "dedupe"])


@KINDS
def test_an_item_whose_key_cannot_be_hashed_fails_alone(kind):
    refused, fine = outcomes(Echo(**{kind: lambda it: it}), ([],), ("b",))

    assert isinstance(refused, TypeError)
    assert fine == "b"


@KINDS
def test_an_item_whose_key_cannot_be_compared_fails_alone(kind):
    first, bad, last = Key("first"), Key("bad", comparable=False), Key("last")

    assert (answers := outcomes(Echo(**{kind: lambda it: it}), (first,), (bad,), (last,)))
    assert answers[0] is first
    assert isinstance(answers[1], ArithmeticError)
    assert answers[2] is last


@KINDS
def test_the_same_when_it_had_to_wait_for_room(kind):
    options = {kind: lambda it: it, "max_queue_size": 2, "when_full": "wait"}
    keys = [Key("a"), Key("b"), Key("c"), Key("d"), Key("e")]

    async def scenario():
        async with Echo(**options, max_queue_time=1, max_batch_size=1) as batcher:
            calls = [asyncio.ensure_future(batcher.process(key)) for key in keys]
            await asyncio.sleep(0)
            keys[3].comparable = False
            return await asyncio.gather(*calls, return_exceptions=True)

    got = run_virtually(scenario())
    assert [keys[n] for n in (0, 1, 2, 4)] == [got[n] for n in (0, 1, 2, 4)]
    assert isinstance(got[3], ArithmeticError)


@KINDS
def test_keys_that_change_while_they_wait_keep_nobody_waiting(kind):
    keys = [Key("a"), Key("b"), Key("a"), Key("c")]

    async def scenario():
        async with Echo(**{kind: lambda it: it}, max_queue_time=1) as batcher:
            calls = [batcher.submit(key) for key in keys]
            for key in keys:
                key.spoil()
            await asyncio.gather(*calls)
            return await asyncio.wait_for(batcher.process(fresh), 9), len(batcher._pump.line)

    fresh = Key("a")
    assert (fresh, 0) == run_virtually(scenario())
