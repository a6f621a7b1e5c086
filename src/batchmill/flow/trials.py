"""The records being tried again: what was tried so far, and when is the next attempt due?"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..records import Outcome


@dataclass(slots=True)
class Trial:
    """What was tried with one record."""

    was: Outcome | None = None
    """Its outcome in an earlier run."""
    used: int = 0
    """Attempts of this run that count."""
    made: int = 0
    """Attempts that were made, those of earlier runs included."""
    first_at: str = ""
    throttled_s: float = 0.0
    """How long the server has put this record off."""
    deaths: int = 0
    """Processes that died while they called it."""
    company: int | None = None
    """With how many records it may be called at most, itself included, because a call for more of
    them has failed."""


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

    def close(self, seqs: Iterable[int]) -> dict[int, Outcome]:
        """Forget the trials of records that now have an outcome; returns what some were before."""
        closed = {seq: self.of.pop(seq).was for seq in self.of.keys() & set(seqs)}
        return {seq: was for seq, was in closed.items() if was}

    def __len__(self) -> int:
        return len(self._heap)

    def __repr__(self) -> str:
        return f"<Trials open={len(self.of)} waiting={len(self._heap)}>"
