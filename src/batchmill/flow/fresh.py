"""What is left of the source? The records that are not settled yet, block by block."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from ..protocols import Arriving, Reader, Source, Store
from ..records import Block, Mark
from .peek import held_by


class Fresh:
    """The records of the source that are not settled yet. Never waits, and reads only when asked.

    `ready` is called, in whatever thread, once a source that had nothing yet is worth asking again.
    A last record that is half-written is left to the next run, if there can be one (`lasting`).
    """

    def __init__(
        self,
        source: Source | None,
        start: Mark,
        store: Store,
        reader: Reader,
        ready: Callable[[], None],
        *,
        together: int,
        lasting: bool,
    ) -> None:
        self.read_to = start
        self.exhausted = source is None
        """Whether the source has been read to its end."""
        self.error: Exception | None = None
        """Why it cannot be read further."""
        self.half_written = False
        """Whether its last record was left, because it is not whole yet."""
        self.silent = False
        """Whether it had nothing yet when it was last asked."""
        self._source = source
        self._reader = reader
        self._lasting = lasting
        self._blocks = _blocks_of(source, start, ready, together)
        self._settled = store.progress.copy()
        self._runs: list[tuple[int, int]] = []
        self._block: Block | None = None
        self._behind = self._reached = source.fraction(start) if source else None
        self.next_seq = self._settled.low_water

    @property
    def readable(self) -> bool:
        """Whether there may be records that have not been read."""
        return not (self.exhausted or self.error or self.half_written)

    @property
    def ready(self) -> int:
        """How many records follow each other, ready to be taken."""
        return self._runs[-1][1] - self._runs[-1][0] if self._runs else 0

    def read_on(self) -> Mark | None:
        """Read the next block; the mark behind it, or None if there is none, now or for good."""
        try:
            block = next(self._blocks, None)
        except Exception as error:
            self.error = error
            return None
        self.exhausted = block is None
        self.silent = block is not None and not block.records
        self.half_written = block is not None and self._is_half_written(block)
        if block is None or self.silent or self.half_written:
            return None
        self._begin(block)
        return block.end

    def _begin(self, block: Block) -> None:
        assert self._source
        self._block = block
        self._runs = list(self._settled.gaps(block.mark.seq, block.end.seq))[::-1]
        self.read_to = block.end
        self._behind, self._reached = self._reached, self._source.fraction(block.end)

    def _is_half_written(self, block: Block) -> bool:
        """Whether to leave it: a record may be whole by the next run, its dead letter never is."""
        if not self._lasting or block.unfinished == "no":
            return False
        return block.unfinished == "yes" or held_by(block.records[-1], self._reader) == "broken"

    def blanks(self, most: int) -> int:
        """How many of the next records are blank lines, up to `most`."""
        for count, raw in enumerate(self._next(most)):
            if held_by(raw, self._reader) != "blank":
                return count
        return min(most, self.ready)

    def take(self, count: int) -> tuple[int, list[Any]]:
        """The seq of the first of the next records, and their raw form; `count` at most."""
        records = self._next(count)
        start, stop = self._runs.pop()
        self.next_seq = end = start + len(records)
        if end < stop:
            self._runs.append((end, stop))
        return start, records

    def _next(self, count: int) -> list[Any]:
        assert self._block
        start, stop = self._runs[-1]
        first = self._block.mark.seq
        return list(self._block.records[start - first : min(stop, start + count) - first])

    @property
    def fraction(self) -> float | None:
        """Share of the source that has been given out, from 0 to 1; None if that is not known.

        Within a block every record counts the same.
        """
        if self._behind is None or self._reached is None or self._block is None:
            return self._reached
        start, stop = self._block.mark.seq, self._block.end.seq
        given = min(1.0, max(0, self.next_seq - start) / (stop - start))
        return self._behind + (self._reached - self._behind) * given

    def close(self) -> None:
        """Let the source go."""
        let_go(self._blocks)


def _blocks_of(
    source: Source | None, start: Mark, ready: Callable[[], None], together: int
) -> Iterator[Block]:
    if source is None:
        return iter(())
    if isinstance(source, Arriving):
        return source.arriving(start, ready, together)
    return source.blocks(start)


def let_go(iterator: Iterator[Any]) -> None:
    """Close a generator here and now, with all it holds open; other iterators hold nothing."""
    if isinstance(iterator, Generator):
        iterator.close()
