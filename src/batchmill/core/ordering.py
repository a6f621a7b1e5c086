"""Results leave in the order of the input, whatever the order in which they are done."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from operator import lt
from typing import Any

from ..protocols import Settled
from .progress import ranges_of


class Reorder:
    """Holds outcomes back until all their predecessors are settled.

    They come and leave in runs: rows of records that follow each other, as a list, or one outcome
    of another kind. `bytes` is what the held rows are long, where rows are bytes. What is held is
    bounded by the feed, which gives out no more while there is too much.
    """

    def __init__(self, progress: Settled) -> None:
        """`progress` is what is settled as the run begins; it is not to change."""
        self.next_seq = progress.low_water
        self.bytes = 0
        self._progress = progress
        self._held: dict[int, Any] = {}
        self._count = 0

    def put_rows(self, seqs: list[int], rows: list[Any]) -> None:
        """Take in the rows of these records. Sorts `seqs`."""
        for start, run in runs_of(seqs, rows):
            self._held[start] = run
            self._count += len(run)
            self.bytes += _bytes_of(run)

    def put(self, seq: int, outcome: Any) -> None:
        """Take in an outcome that is no row."""
        self._held[seq] = outcome
        self._count += 1

    def pop_ready(self) -> list[tuple[int, Any]]:
        """Take out, in order, the runs that have no unsettled predecessor, by their first seq."""
        ready: list[tuple[int, Any]] = []
        while True:
            if self.next_seq not in self._held:
                self.next_seq = self._progress.next_pending(self.next_seq)
            if self.next_seq not in self._held:
                return ready
            run = self._held.pop(self.next_seq)
            ready.append((self.next_seq, run))
            self._take_out(run)

    def _take_out(self, run: Any) -> None:
        count = len(run) if isinstance(run, list) else 1
        self.next_seq += count
        self._count -= count
        self.bytes -= _bytes_of(run) if isinstance(run, list) else 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<Reorder next={self.next_seq} held={self._count}>"


def _bytes_of(run: list[Any]) -> int:
    """How long these rows are; objects count nothing."""
    return sum(map(len, run)) if isinstance(run[0], bytes) else 0


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
