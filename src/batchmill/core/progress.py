"""Which records are settled? A low-water mark, and the few ranges beyond it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Progress:
    """The set of settled records, kept as half-open ranges of seq.

    Everything below `low_water` is settled. Beyond it lie as many ranges as there are stragglers,
    so the size follows what is in flight and not the number of records. Settling twice is
    harmless.
    """

    def __init__(self, low_water: int = 0, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.low_water = low_water
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in ranges:
            self.settle(start, stop)

    def settle(self, start: int, stop: int) -> None:
        """Add the records from `start` up to, not including, `stop`."""
        if stop <= max(start, self.low_water):
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]
        if self._starts[0] <= self.low_water:
            self.low_water = self._stops[0]
            del self._starts[0], self._stops[0]

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._starts, seq) - 1
        return seq < self.low_water or (at >= 0 and seq < self._stops[at])

    def gaps(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The ranges of records between `start` and `stop` that are not settled."""
        start = max(start, self.low_water)
        at = bisect_right(self._stops, start)
        while start < stop:
            begin = self._starts[at] if at < len(self._starts) else stop
            if begin > start:
                yield start, min(begin, stop)
            start = self._stops[at] if at < len(self._stops) else stop
            at += 1

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The settled ranges beyond the low-water mark, in order, none touching another."""
        return list(zip(self._starts, self._stops, strict=True))

    @property
    def settled(self) -> int:
        """How many records are settled."""
        return self.low_water + sum(self._stops) - sum(self._starts)

    @property
    def end(self) -> int:
        """One past the highest settled record."""
        return self._stops[-1] if self._stops else self.low_water

    def __repr__(self) -> str:
        ahead = self.settled - self.low_water
        return f"<Progress next={self.low_water} ahead={ahead} in {len(self._starts)} ranges>"


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
