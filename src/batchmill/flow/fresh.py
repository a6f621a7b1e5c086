"""Which records of the source are not settled yet?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..protocols import Store
from ..records import Block


class Fresh:
    """The records of the source that are not settled yet."""

    def __init__(self, blocks: Iterator[Block], store: Store) -> None:
        self._blocks = blocks
        self._settled = store.progress.copy()
        self._runs: list[tuple[int, int]] = []
        self._block: Block | None = None
        self.next_seq = self._settled.low_water

    @property
    def ready(self) -> int:
        """How many records follow each other, ready to be taken."""
        return self._runs[-1][1] - self._runs[-1][0] if self._runs else 0

    @property
    def given(self) -> float:
        """Share of the block that has been taken."""
        if self._block is None:
            return 1.0
        start, stop = self._block.mark.seq, self._block.end.seq
        return min(1.0, max(0, self.next_seq - start) / (stop - start))

    def read(self) -> Block | None:
        """Read the next block; None at the end of the source."""
        block = next(self._blocks, None)
        self._block = block
        if block is not None:
            start, stop = block.mark.seq, block.end.seq
            self._runs = list(self._settled.gaps(start, stop))[::-1]
        return block

    def take(self, count: int) -> tuple[int, list[Any]]:
        """The seq of the first of the next records, and their raw form; `count` at most."""
        assert self._block
        start, stop = self._runs.pop()
        end = min(stop, start + count)
        if end < stop:
            self._runs.append((end, stop))
        first = self._block.mark.seq
        self.next_seq = end
        return start, list(self._block.records[start - first : end - first])
