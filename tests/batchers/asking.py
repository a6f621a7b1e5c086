"""How is a batcher asked by many at once?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchmill.flow.batcher import AsyncBatcher


async def everyone(batcher: AsyncBatcher[Any, Any], items: Iterable[Any]) -> list[Any]:
    """The results and exceptions of all items, asked for at once: in one batch, if they fit."""
    async with batcher:
        calls = [batcher.process(item) for item in items]
        return await asyncio.gather(*calls, return_exceptions=True)


def asked(batcher: AsyncBatcher[Any, Any], items: Iterable[Any]) -> list[Any]:
    """The same in an event loop of its own."""
    return asyncio.run(everyone(batcher, items))
