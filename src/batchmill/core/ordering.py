"""How do results leave in the order of the input, when they are done in another?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .progress import Progress


class Reorder:
    """Holds rows back until all their predecessors are settled.

    Its size is bounded by how far the feed may run ahead of the low-water mark.
    """

    def __init__(self, progress: Progress) -> None:
        self.next_seq = progress.low_water
        self._passed = dict(progress.ranges)
        self._held: dict[int, Any] = {}

    def put(self, outcomes: Iterable[tuple[int, Any]]) -> None:
        """Take in the outcomes of records."""
        self._held.update(outcomes)

    def pop_ready(self) -> list[tuple[int, Any]]:
        """Take out, in order, the outcomes that have no unsettled predecessor."""
        ready: list[tuple[int, Any]] = []
        while True:
            if self.next_seq in self._held:
                ready.append((self.next_seq, self._held.pop(self.next_seq)))
                self.next_seq += 1
            elif self.next_seq in self._passed:
                self.next_seq = self._passed.pop(self.next_seq)
            else:
                return ready

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<Reorder next={self.next_seq} held={len(self._held)}>"
