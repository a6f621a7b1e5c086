"""Any iterable as a source: as it is, or as JSON lines where the job must survive a restart."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set, Sized
from itertools import islice, pairwise
from typing import Any

from ..errors import Changed, RecordError
from ..records import Block, Mark

NOT_JSON = b"\0not JSON: "
"""Beginning of the line of an item that JSON cannot carry; such a line becomes a dead letter."""

ITEMS = 256
"""Items drawn at once from an iterable that is drawn as it is needed."""


class ItemSource:
    """The items themselves, for a job that keeps its results in memory.

    They are drawn as they are needed, in the driver's thread. An item that the task changes stays
    changed for its next attempt.
    """

    name = "items"

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self._total = len(items) if isinstance(items, Sized) else None

    def identity(self) -> dict[str, Any]:
        return {}

    def holds(self, mark: Mark) -> bool:
        return mark.seq == 0

    def blocks(self, mark: Mark) -> Iterator[Block]:
        for drawn in _drawn(iter(self._items)):
            end = Mark(mark.seq + len(drawn), mark.seq + len(drawn))
            yield Block(mark, drawn, end)
            mark = end

    def fraction(self, mark: Mark) -> float | None:
        return mark.seq / self._total if self._total else None


def _drawn(items: Iterator[Any]) -> Iterator[list[Any]]:
    """The items, some at a time. What was drawn before an error is handed out before it."""
    while True:
        drawn: list[Any] = []
        try:
            drawn.extend(islice(items, ITEMS))
        except Exception:
            if drawn:
                yield drawn
            raise
        if not drawn:
            return
        yield drawn


class JsonItemSource(ItemSource):
    """The items as JSON lines, ends included, so that a later run can tell that they are the same.

    A resume draws the items that earlier runs have read once more and compares them. A sequence is
    compared by `holds`; what can be drawn but once by `blocks`, before it hands out any of them.
    """

    def __init__(self, items: Iterable[Any], encode: Callable[[Any], bytes]) -> None:
        super().__init__(items)
        self._encode = encode
        self._read_before = Mark()

    def holds(self, mark: Mark) -> bool:
        if not isinstance(self._items, Sequence | Mapping | Set):
            self._read_before = mark
            return True
        ends = (block.end for block in self._cut(mark.seq))
        return mark.seq == 0 or next((end for end in ends if end.seq == mark.seq), None) == mark

    def blocks(self, mark: Mark) -> Iterator[Block]:
        known = max(mark, self._read_before, key=lambda each: each.seq)
        waiting: list[Block] = []
        end = Mark()
        for block in self._cut(mark.seq, known.seq):
            end = block.end
            if end.seq == known.seq and end != known:
                raise _changed()
            if block.mark.seq >= mark.seq:
                waiting.append(block)
            if end.seq >= known.seq:
                yield from waiting
                waiting.clear()
        if end.seq < known.seq:
            raise _changed()

    def _cut(self, *places: int) -> Iterator[Block]:
        """The lines in blocks, of which none reaches across one of these places."""
        start = Mark()
        for drawn in super().blocks(start):
            inner = {at - drawn.mark.seq for at in places if drawn.mark.seq < at < drawn.end.seq}
            lines = self._lines(drawn)
            for first, last in pairwise(sorted({0, len(lines)} | inner)):
                body = b"".join(lines[first:last])
                seq, offset = start.seq + last - first, start.offset + len(body)
                end = Mark(seq, offset, zlib.crc32(body, start.crc))
                yield Block(start, lines[first:last], end)
                start = end

    def _lines(self, block: Block) -> list[bytes]:
        return [self._line(item) for item in block.records]

    def _line(self, item: Any) -> bytes:
        try:
            return self._encode(item)
        except RecordError as error:
            return (
                NOT_JSON
                + f"{error}: {item!r}".encode(errors="replace").replace(b"\n", b" ")
                + b"\n"
            )


def _changed() -> Changed:
    return Changed(
        "the items are not those of the earlier run",
        hint="give the same items in the same order, set a key, or start again with restart",
    )
