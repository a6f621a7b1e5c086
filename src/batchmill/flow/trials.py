"""The records being tried again: what was tried so far, and when is the next attempt due?"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

from ..core.trial import Trial


class Trials:
    """Records with a history, and the heap of those that wait for their next attempt.

    A waiting record holds no slot. The feed reads no further while MAX_WAITING wait.
    """

    def __init__(self) -> None:
        self.of: dict[int, Trial] = {}
        self._heap: list[tuple[float, int, Any]] = []

    def wait(self, due_at: float, seq: int, raw: Any) -> None:
        heapq.heappush(self._heap, (due_at, seq, raw))

    def due(self, now: float, most: int) -> list[tuple[int, Any]]:
        """Take up to `most` records whose next attempt is due, and that may be called together."""
        found: list[tuple[int, Any]] = []
        company = self._company()
        while len(found) < min(most, company or most) and self.count_due(now):
            if self._company() != company:
                break
            _, seq, raw = heapq.heappop(self._heap)
            found.append((seq, raw))
        return found

    def _company(self) -> int | None:
        """How many the next one may be called with."""
        return self.of[self._heap[0][1]].company

    def count_due(self, now: float) -> bool:
        return bool(self._heap) and self._heap[0][0] <= now

    @property
    def next_at(self) -> float | None:
        """When the next attempt is due."""
        return self._heap[0][0] if self._heap else None

    def close(self, seqs: Iterable[int]) -> dict[int, Trial]:
        """Forget the trials of records that now have an outcome; returns them."""
        return {seq: self.of.pop(seq) for seq in self.of.keys() & set(seqs)}

    def __len__(self) -> int:
        return len(self._heap)

    def __repr__(self) -> str:
        return f"<Trials open={len(self.of)} waiting={len(self._heap)}>"
