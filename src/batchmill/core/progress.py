"""What became of each record: one code a record, in blocks that are kept packed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from ..records import OutcomeCode

BLOCK = 1 << 14
"""Records in a block."""
OPEN = 8
"""Most blocks that are kept unpacked."""

_PENDING = re.compile(rb"\0+")
_NONE = bytes(BLOCK)


def packed(codes: bytes | bytearray) -> bytes:
    """The codes of a block, packed: about 40 bytes where all are alike, at most 0.4 a record."""
    return zlib.compress(codes, 1)


@lru_cache(OPEN)
def counted(data: bytes) -> tuple[int, ...]:
    """How many records of a packed block have each code."""
    codes = unpacked(data)
    return tuple(codes.count(code) for code in OutcomeCode)


def unpacked(data: bytes) -> bytearray:
    """The codes of a block. Raises ValueError for what is no block."""
    try:
        codes = bytearray(zlib.decompress(data))
    except zlib.error as error:
        raise ValueError(f"a block of outcomes cannot be read: {error}") from None
    if len(codes) != BLOCK or max(codes) > max(OutcomeCode):
        raise ValueError("a block of outcomes holds something else")
    return codes


class Progress:
    """What became of each record, and the low-water mark: every record below it is settled.

    Blocks from the low-water mark on are kept packed in memory, so what it costs is what is in
    flight; where a rebuild leaves gaps all over a source it is at most 0.4 byte a record. Older
    blocks are fetched by `older` when one of their records gets another outcome.
    """

    def __init__(
        self,
        low_water: int = 0,
        blocks: Mapping[int, bytes] | None = None,
        older: Callable[[int], bytes | None] = lambda _: None,
    ) -> None:
        self.low_water = low_water
        self._packed = dict(blocks or {})
        self._open: dict[int, bytearray] = {}
        self._changed: set[int] = set()
        self.older = older

    def settle(self, start: int, stop: int, code: OutcomeCode = OutcomeCode.WITH_ROWS) -> None:
        """Note what became of the records from `start` up to, not including, `stop`."""
        at = start
        while at < stop:
            number, offset = divmod(at, BLOCK)
            count = min(stop - at, BLOCK - offset)
            codes = self._opened(number)
            codes[offset : offset + count] = code.to_bytes() * count
            self._changed.add(number)
            at += count
        if start <= self.low_water < stop:
            self.low_water = self.next_pending(stop)

    def code(self, seq: int) -> OutcomeCode:
        """What became of this record."""
        return OutcomeCode(self._opened(seq // BLOCK)[seq % BLOCK])

    def __contains__(self, seq: int) -> bool:
        return seq < self.low_water or self._look(seq // BLOCK)[seq % BLOCK] != 0

    def next_pending(self, seq: int) -> int:
        """The first record from `seq` on that is not settled."""
        seq = max(seq, self.low_water)
        while (at := self._look(seq // BLOCK).find(0, seq % BLOCK)) < 0:
            seq = (seq // BLOCK + 1) * BLOCK
        return seq // BLOCK * BLOCK + at

    def gaps(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The ranges of records between `start` and `stop` that are not settled."""
        gap: tuple[int, int] | None = None
        for begin, end in self._gaps(max(start, self.low_water), stop):
            if gap and gap[1] == begin:
                gap = (gap[0], end)
                continue
            if gap:
                yield gap
            gap = (begin, end)
        if gap:
            yield gap

    def _gaps(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The same block by block: a gap across the border of two is two of them."""
        while start < stop:
            base = start // BLOCK * BLOCK
            end = min(stop, base + BLOCK)
            for found in _PENDING.finditer(self._look(base // BLOCK), start - base, end - base):
                yield base + found.start(), base + found.end()
            start = end

    @property
    def end(self) -> int:
        """One past the highest settled record."""
        for number in sorted(self._packed.keys() | self._open.keys(), reverse=True):
            codes = self._look(number).rstrip(b"\0")
            if codes:
                return max(self.low_water, number * BLOCK + len(codes))
        return self.low_water

    @property
    def settled(self) -> int:
        """How many records are settled."""
        first = self.low_water // BLOCK
        beyond = [number for number in self._packed.keys() | self._open.keys() if number > first]
        ahead = self._look(first)[self.low_water % BLOCK :]
        return self.low_water + sum(
            len(codes) - codes.count(0) for codes in (ahead, *map(self._look, beyond))
        )

    def tally(self) -> list[int]:
        """How many records have each outcome, by code, in the blocks that are in memory."""
        sums = [0] * len(OutcomeCode)
        for number in self._packed.keys() | self._open.keys():
            codes = self._look(number)
            for code in OutcomeCode:
                sums[code] += codes.count(code)
        return sums

    def take_changed(self) -> Iterator[tuple[int, bytes]]:
        """The blocks that have changed since this was last asked, packed; then `forget`."""
        for number in sorted(self._changed):
            yield number, self._pack(number)
        self.forget()

    def forget(self) -> None:
        """Forget what has changed, and the blocks below the low-water mark."""
        self._changed.clear()
        first = self.low_water // BLOCK
        for number in [each for each in (*self._packed, *self._open) if each < first]:
            self._packed.pop(number, None)
            self._open.pop(number, None)

    def copy(self) -> Progress:
        """The same as of now. Blocks below the low-water mark are not known to it."""
        for number in self._open:
            self._pack(number)
        return Progress(self.low_water, self._packed)

    def _pack(self, number: int) -> bytes:
        if number in self._open:
            self._packed[number] = packed(self._open[number])
        return self._packed[number]

    def _look(self, number: int) -> bytes | bytearray:
        """The codes of a block from the low-water mark on, to be read."""
        known = number in self._packed or number in self._open
        return self._opened(number) if known else _NONE

    def _opened(self, number: int) -> bytearray:
        """The codes of a block, to be changed."""
        codes = self._open.get(number)
        if codes is None:
            while len(self._open) >= OPEN:
                self._close(next(iter(self._open)))
            data = self._packed.get(number) or self._fetched(number)
            codes = self._open[number] = unpacked(data) if data else bytearray(BLOCK)
        return codes

    def _fetched(self, number: int) -> bytes | None:
        """An older block, which is in memory no more."""
        return self.older(number) if number <= self.low_water // BLOCK else None

    def _close(self, number: int) -> None:
        if number in self._changed:
            self._pack(number)
        del self._open[number]

    def __repr__(self) -> str:
        return f"<Progress next={self.low_water} ahead={self.settled - self.low_water}>"


def ranges_of(seqs: list[int]) -> list[tuple[int, int]]:
    """The half-open ranges that hold just these records. Sorts `seqs` in place.

    Costs a sort (linear where they are nearly in order) and O(gaps * log n) beyond.
    """
    seqs.sort()
    found: list[tuple[int, int]] = []
    _split(seqs, 0, len(seqs), found)
    return found


def _split(seqs: list[int], low: int, high: int, found: list[tuple[int, int]]) -> None:
    if low == high:
        return
    if seqs[high - 1] - seqs[low] == high - low - 1:
        if found and found[-1][1] == seqs[low]:
            found[-1] = (found[-1][0], seqs[high - 1] + 1)
        else:
            found.append((seqs[low], seqs[high - 1] + 1))
        return
    middle = (low + high) // 2
    _split(seqs, low, middle, found)
    _split(seqs, middle, high, found)
