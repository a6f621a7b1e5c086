"""How do results leave in the order of the input, when they are done in another?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from operator import lt
from typing import Any

from .progress import Progress, ranges_of


class Reorder:
    """Holds outcomes back until all their predecessors are settled.

    They come and leave in runs: rows of records that follow each other, as a list, or one outcome
    of another kind. What is held is bounded by how far the feed may run ahead of the low-water
    mark.
    """

    def __init__(self, progress: Progress) -> None:
        self.next_seq = progress.low_water
        self._passed = dict(progress.ranges)
        self._held: dict[int, Any] = {}
        self._count = 0

    def put_rows(self, seqs: list[int], rows: list[Any]) -> None:
        """Take in the rows of these records. Sorts `seqs`."""
        for start, run in runs_of(seqs, rows):
            self._held[start] = run
            self._count += len(run)

    def put(self, seq: int, outcome: Any) -> None:
        """Take in an outcome that is no row."""
        self._held[seq] = outcome
        self._count += 1

    def pop_ready(self) -> list[tuple[int, Any]]:
        """Take out, in order, the runs that have no unsettled predecessor, by their first seq."""
        ready: list[tuple[int, Any]] = []
        while True:
            if self.next_seq in self._held:
                run = self._held.pop(self.next_seq)
                count = len(run) if isinstance(run, list) else 1
                ready.append((self.next_seq, run))
                self.next_seq += count
                self._count -= count
            elif self.next_seq in self._passed:
                self.next_seq = self._passed.pop(self.next_seq)
            else:
                return ready

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Reorder next={self.next_seq} held={self._count}>"


def runs_of(seqs: list[int], rows: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    """The rows of records that follow each other, and the first seq of each. Sorts `seqs`."""
    if not all(map(lt, seqs, islice(seqs, 1, None))):
        row_of = dict(zip(seqs, rows, strict=True))
        seqs.sort()
        rows = [row_of[seq] for seq in seqs]
    at = 0
    for start, stop in ranges_of(seqs):
        yield start, rows[at : at + stop - start]
        at += stop - start
