"""@batched on functions and methods."""

from __future__ import annotations

import asyncio
import copy
import gc
import weakref

import pytest

from batchmill.errors import ConfigError
from batchmill.flow.batcher import batched
from virtual_loop import run_virtually


class Shop:
    def __init__(self, prices: dict[str, int]) -> None:
        self.prices = prices
        self.batches = 0

    @batched(max_batch_size=10)
    async def price(self, names: list[str]) -> list[int | None]:
        """Prices by name."""
        self.batches += 1
        return [self.prices.get(name) for name in names]

    @staticmethod
    @batched()
    async def doubled(batch: list[int]) -> list[int]:
        return [2 * item for item in batch]


def test_a_function_of_a_batch_is_called_with_a_single_item():
    @batched(max_batch_size=2)
    async def doubled(batch: list[int]) -> list[int]:
        return [2 * item for item in batch]

    async def scenario():
        return await asyncio.gather(*[doubled(n) for n in range(5)]), doubled.stats().batches

    assert run_virtually(scenario()) == ([0, 2, 4, 6, 8], 3)


def test_a_plain_function_runs_in_a_thread():
    @batched()
    def doubled(batch: list[int]) -> list[int]:
        return [2 * item for item in batch]

    assert run_virtually(doubled(3)) == 6


def test_it_looks_like_the_function_it_was_made_of():
    assert Shop.price.__name__ == "price"
    assert Shop.price.__doc__ == "Prices by name."


def test_it_is_a_batcher():
    @batched(max_queue_time=60)
    async def doubled(batch: list[int]) -> list[int]:
        return [2 * item for item in batch]

    async def scenario():
        async with doubled:
            calls = [doubled.submit(1), asyncio.ensure_future(doubled.process(2))]
            await asyncio.sleep(0)
        return [call.result() for call in calls], repr(doubled)

    answers, state = run_virtually(scenario())
    assert answers == [2, 4]
    assert state == "<doubled stopped waiting=0 running=0/1 items=2 batches=1>"


def test_each_object_has_a_batcher_of_its_own():
    async def scenario():
        cheap, dear = Shop({"egg": 1}), Shop({"egg": 9})
        calls = [cheap.price("egg"), dear.price("egg"), cheap.price("ham")]
        return await asyncio.gather(*calls), cheap.batches, dear.batches

    assert run_virtually(scenario()) == ([1, 9, None], 1, 1)


def test_a_copy_of_an_object_does_not_share_its_batcher():
    async def scenario():
        shop = Shop({"egg": 1})
        await shop.price("egg")
        for other in (copy.copy(shop), copy.deepcopy(shop)):
            other.prices = {"egg": 2}
            assert await other.price("egg") == 2
        return await shop.price("egg")

    assert run_virtually(scenario()) == 1


def test_the_batcher_of_an_object_goes_with_it():
    async def scenario():
        shop = Shop({"egg": 1})
        await shop.price("egg")
        return weakref.ref(shop)

    gone = run_virtually(scenario())
    gc.collect()
    assert gone() is None


def test_an_object_that_is_only_used_to_make_the_call_lives_until_it_is_answered():
    assert run_virtually(Shop({"egg": 3}).price("egg")) == 3


def test_a_static_method_is_a_function():
    assert run_virtually(Shop.doubled(4)) == 8
    assert run_virtually(Shop({}).doubled(4)) == 8


def test_an_object_without_a_dict_is_refused_with_a_reason():
    class Slotted:
        __slots__ = ()

        @batched()
        async def same(self, batch: list[int]) -> list[int]:
            return batch

    with pytest.raises(TypeError, match="__dict__"):
        Slotted().same  # noqa: B018


def test_a_wrong_option_is_found_where_it_is_written():
    with pytest.raises(ConfigError, match="concurrency"):

        @batched(concurrency=0)
        async def same(batch: list[int]) -> list[int]:
            return batch
