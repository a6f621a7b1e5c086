"""Lines that end in "wrong" must not pass a type checker; all others must."""

from __future__ import annotations

from asyncio import Future
from typing import assert_type

from batchmill.flow.batcher import AsyncBatcher, batched


class Lengths(AsyncBatcher[str, int]):
    async def process_batch(self, batch: list[str]) -> list[int]:
        return [len(item) for item in batch]


class PlainLengths(AsyncBatcher[str, int]):
    def process_batch(self, batch: list[str]) -> list[int | BaseException]:
        return [len(item) if item else ValueError() for item in batch]


class Backwards(AsyncBatcher[str, int]):
    async def process_batch(self, batch: list[int]) -> list[str]:  # wrong
        return [str(item) for item in batch]


@batched(max_batch_size=10, group_by=len)
async def lengths(batch: list[str]) -> list[int]:
    return [len(item) for item in batch]


@batched()
def plain_lengths(batch: list[str]) -> list[int]:
    return [len(item) for item in batch]


class Shop:
    @batched()
    async def price(self, names: list[str]) -> list[float]:
        return [1.5 for _ in names]

    @batched()
    def stock(self, names: list[str]) -> list[int]:
        return [1 for _ in names]


async def right() -> None:
    assert_type(await Lengths().process("a"), int)
    assert_type(await PlainLengths(max_batch_size=3).process("a", priority=1, timeout=0.5), int)
    assert_type(Lengths().submit("a"), Future[int])
    assert_type(Lengths().process_sync("a"), int)
    assert_type(await lengths("a"), int)
    assert_type(await plain_lengths("a"), int)
    assert_type(await Shop().price("egg"), float)
    assert_type(await Shop().stock("egg"), int)
    assert_type(lengths.submit("a"), Future[int])
    async with Lengths() as batcher:
        assert_type(batcher, Lengths)


async def wrong() -> None:
    await Lengths().process(1)  # wrong
    await lengths(1)  # wrong
    await Shop().price(1)  # wrong
    Lengths(max_batch_size="3")  # wrong
    Lengths(sleep_time=3)  # wrong
    Lengths(when_full="drop")  # wrong
