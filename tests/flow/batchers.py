"""Batchers for tests, named for what they do."""

from __future__ import annotations

import asyncio
from typing import Any

from batchmill.flow.batcher import AsyncBatcher


class Doubling(AsyncBatcher[int, int]):
    """Answers with the double, after `run_s`; remembers when it was called, and with what."""

    run_s = 0.0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.batches: list[list[Any]] = []
        self.called_at: list[float] = []

    async def process_batch(self, batch: list[int]) -> list[int]:
        self.batches.append(list(batch))
        self.called_at.append(now())
        if self.run_s:
            await asyncio.sleep(self.run_s)
        return [2 * item for item in batch]


class Slow(Doubling):
    run_s = 1.0


class Poisoned(Doubling):
    """Raises when one of these items is in the batch."""

    poison: frozenset[int] = frozenset({13})

    async def process_batch(self, batch: list[int]) -> list[int]:
        answers = await super().process_batch(batch)
        bad = sorted(self.poison.intersection(batch))
        if bad:
            raise ValueError(f"poison: {bad}")
        return answers


class Echo(AsyncBatcher[Any, Any]):
    """Answers with the items, which stand for results."""

    async def process_batch(self, batch: list[Any]) -> list[Any]:
        return batch


class Raising(AsyncBatcher[Any, Any]):
    """Raises its item."""

    async def process_batch(self, batch: list[BaseException]) -> list[Any]:
        raise batch[0]


class Deaf(AsyncBatcher[Any, Any]):
    """Goes on for a minute after it was cancelled."""

    async def process_batch(self, batch: list[Any]) -> list[Any]:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(60)
        return batch


def now() -> float:
    return asyncio.get_running_loop().time()


async def gathered(*calls: Any) -> list[Any]:
    """The results and exceptions of several calls."""
    return await asyncio.gather(*calls, return_exceptions=True)
