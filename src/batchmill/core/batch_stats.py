"""What is there to say about a batcher in numbers?"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import get_args

from .batching import Reason

SIZES = tuple(float(2**n) for n in range(15))
SECONDS = tuple(base * 10.0**power for power in range(-4, 2) for base in (1, 2.5, 5))


@dataclass(frozen=True, slots=True)
class Distribution:
    """How values are spread: `counts[n]` of them are at most `bounds[n]` and above the bound
    before; the last count is of what lies above all bounds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """0.0 of nothing."""
        return self.total / (self.count or 1)


class Spread:
    """Counts values by bucket; `read` says how they are spread."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Distribution:
        return Distribution(self._bounds, tuple(self._counts), self._total)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatcherStats:
    """What a batcher has done since it was made, and what it is doing now."""

    waiting: int
    """Items in the queue."""
    running: int
    """Batches under way."""
    items: int
    """Items that went out in batches."""
    batches: int
    calls: int
    """Calls of process_batch: more than batches where a failing batch was split."""
    failed: int
    """Callers who got an exception of process_batch, or one in place of a result."""
    left: int
    """Callers who had gone before their item went out."""
    refused: int
    """Items refused because the queue was full."""
    released: dict[str, int] = field(default_factory=dict)
    """Batches by the reason of their release: size, cost, time, idle, flush."""
    batch_size: Distribution
    wait_s: Distribution
    """Seconds the oldest item of each batch waited."""
    run_s: Distribution
    """Seconds each batch took, splits included."""


class BatchTally:
    """Keeps count, once a batch."""

    def __init__(self) -> None:
        self.items = 0
        self.calls = 0
        self.failed = 0
        self.refused = 0
        self.released: dict[Reason, int] = dict.fromkeys(get_args(Reason), 0)
        self._sizes = Spread(SIZES)
        self._waits_s = Spread(SECONDS)
        self._runs_s = Spread(SECONDS)

    def out(self, size: int, reason: Reason, waited_s: float) -> None:
        """A batch went out."""
        self.items += size
        self.released[reason] += 1
        self._sizes.add(size)
        self._waits_s.add(waited_s)

    def back(self, run_s: float) -> None:
        """A batch has ended."""
        self._runs_s.add(run_s)

    def read(self, *, waiting: int, running: int, left: int) -> BatcherStats:
        return BatcherStats(
            waiting=waiting,
            running=running,
            items=self.items,
            batches=sum(self.released.values()),
            calls=self.calls,
            failed=self.failed,
            left=left,
            refused=self.refused,
            released={str(reason): count for reason, count in self.released.items()},
            batch_size=self._sizes.read(),
            wait_s=self._waits_s.read(),
            run_s=self._runs_s.read(),
        )
