"""Any iterable as a source: as it is, or as JSON lines where the job must survive a restart."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set, Sized
from contextlib import closing
from itertools import islice, pairwise
from typing import Any

from ..errors import Changed, RecordError
from ..records import Block, Mark
from .drawer import Drawer

NOT_JSON = b"\0not JSON: "
"""Beginning of the line of an item that JSON cannot carry; such a line becomes a dead letter."""

ITEMS = 256
"""Items drawn at once from an iterable that is drawn as it is needed."""


AT_HAND = (list, tuple, range, set, frozenset, dict)
"""What keeps nobody waiting who draws it."""


class ItemSource:
    """The items themselves, for a job that keeps its results in memory.

    They are drawn as they are needed. An item that the task changes stays changed for its next
    attempt.
    """

    name = "items"

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self._total = len(items) if isinstance(items, Sized) else None

    def identity(self) -> dict[str, Any]:
        return {}

    def holds(self, mark: Mark) -> bool:
        return mark.seq == 0

    def blocks(self, mark: Mark) -> Generator[Block, None, None]:
        yield from self._blocks_of(_drawn(iter(self._items)), mark)

    def arriving(
        self, mark: Mark, ready: Callable[[], None], together: int
    ) -> Generator[Block, None, None]:
        if type(self._items) in AT_HAND:
            yield from self.blocks(mark)
            return
        with Drawer(self._items, ready, together) as drawn:
            yield from self._blocks_of(drawn, mark)

    def _blocks_of(self, drawn: Iterable[list[Any]], mark: Mark) -> Iterator[Block]:
        """What is drawn, in blocks; an empty one where nothing is there yet."""
        for items in drawn:
            end = Mark(mark.seq + len(items), mark.seq + len(items))
            yield Block(mark, items, end)
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
    compared by `holds`; what can be drawn but once when it is read, before any of them is handed
    out.
    """

    def __init__(self, items: Iterable[Any], encode: Callable[[Any], bytes]) -> None:
        super().__init__(items)
        self._encode = encode
        self._read_before = Mark()

    def holds(self, mark: Mark) -> bool:
        if not isinstance(self._items, Sequence | Mapping | Set):
            self._read_before = mark
            return True
        with closing(self._cut(_drawn(iter(self._items)), mark.seq)) as blocks:
            ends = (block.end for block in blocks)
            return mark.seq == 0 or next((end for end in ends if end.seq == mark.seq), None) == mark

    def _blocks_of(self, drawn: Iterable[list[Any]], mark: Mark) -> Iterator[Block]:
        known = max(mark, self._read_before, key=lambda each: each.seq)
        waiting: list[Block] = []
        end = Mark()
        for block in self._cut(drawn, mark.seq, known.seq):
            if not block.records:
                yield block
                continue
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

    def _cut(self, drawn: Iterable[list[Any]], *places: int) -> Generator[Block, None, None]:
        """The lines in blocks, of which none reaches across one of these places."""
        start = Mark()
        for items in drawn:
            if not items:
                yield Block(start, [], start)
                continue
            seq, lines = start.seq, [self._line(item) for item in items]
            inner = {at - seq for at in places if seq < at < seq + len(lines)}
            for first, last in pairwise(sorted({0, len(lines)} | inner)):
                body = b"".join(lines[first:last])
                offset = start.offset + len(body)
                end = Mark(start.seq + last - first, offset, zlib.crc32(body, start.crc))
                yield Block(start, lines[first:last], end)
                start = end

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
