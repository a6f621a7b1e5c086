"""A feed and a desk for an engine by itself, and a clock that is set by hand."""

from __future__ import annotations

import asyncio
import math
from itertools import islice
from operator import length_hint
from typing import Any

from batchmill.engines.base import Setting
from batchmill.formats.codec import item_codec
from batchmill.records import Taken
from batchmill.tasks.loading import load_task


class PiecesFeed:
    """Gives out these pieces, one after the other."""

    def __init__(self, *pieces: Any, paced: bool = False) -> None:
        self.paced = paced
        self.until = math.inf
        self.piece: Any = iter(())
        self._pieces = [list(piece) for piece in pieces]

    async def more(self) -> bool:
        await asyncio.sleep(0)
        while not length_hint(self.piece):
            if not self._pieces:
                return False
            self.piece = iter(self._pieces.pop(0))
        return True

    async def take(self, most: int) -> Taken:
        taken = list(islice(self.piece, most)) if await self.more() else []
        return Taken([seq for seq, _ in taken], [raw for _, raw in taken])


class NotingDesk:
    """Notes what it is told. `told` has every record as often as it was reported."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.rows: list[Any] = []
        self.filtered: list[int] = []
        self.rowless: list[tuple[int, Any]] = []
        self.latencies: list[float] = []
        self.blanks: list[int] = []
        self.failures: dict[int, BaseException] = {}
        self.given_back: list[int] = []
        self.told: list[int] = []

    def blank(self, seq: int) -> None:
        self.blanks.append(seq)
        self.told.append(seq)

    def failed(self, seq: int, raw: Any, error: BaseException) -> None:
        self.failures[seq] = error
        self.told.append(seq)

    def failed_together(self, records: Any, error: BaseException) -> None:
        for seq, raw in records:
            self.failed(seq, raw, error)

    def returned(self, seq: int, raw: Any) -> None:
        self.given_back.append(seq)
        self.told.append(seq)

    def attempt(self, seq: int) -> int:
        return 1

    @property
    def kinds(self) -> dict[int, str]:
        return {seq: type(error).__name__ for seq, error in self.failures.items()}

    def reported(self) -> list[int]:
        """Every record that was reported, as often as it was."""
        return sorted([*self.seqs, *self.filtered, *self.told])


class HandClock:
    """Stands still unless it is set."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def engine_of(kind: Any, task: Any, *, slots: int = 1, clock: Any = None, codec: Any = None,
              timeout_s: float | None = 10.0, batch_size: int | None = None) -> Any:  # fmt: skip
    return kind(Setting(task=load_task(task, batch=batch_size is not None), job="job", slots=slots,
                        codec=codec or item_codec(), batch_size=batch_size or 1,
                        timeout_s=timeout_s, now=clock or HandClock()))  # fmt: skip


async def serve(engine: Any, feed: Any, desk: Any) -> None:
    """All slots, to the end of the feed."""
    async with engine.open(), asyncio.TaskGroup() as slots:
        for _ in range(engine.slots):
            slots.create_task(engine.serve(feed, desk))


def numbered(items: Any) -> list[tuple[int, Any]]:
    return list(enumerate(items))
