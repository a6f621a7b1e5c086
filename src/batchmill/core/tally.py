"""What is there to say about a run in numbers? Latency, rate and the time that is left."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import accumulate

from ..report import Latency

BUCKETS_PER_DECADE = 20
_LOWEST_S = 1e-6
_BOUNDS = [_LOWEST_S * 10 ** (n / BUCKETS_PER_DECADE) for n in range(10 * BUCKETS_PER_DECADE)]
SAMPLE = 32
"""Latencies counted of one piece of records; of more, every n-th stands for the rest."""


class Histogram:
    """Latencies in buckets of equal ratio, 20 to a decade from 1 µs: right to 12 %."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)

    def add(self, seconds: Sequence[float]) -> None:
        """Count these latencies, or an even sample of them where they are more than SAMPLE."""
        stride = max(1, len(seconds) // SAMPLE)
        for value in seconds[::stride]:
            self._counts[bisect_left(_BOUNDS, value)] += stride

    def quantile(self, share: float) -> float:
        """The upper bound, in seconds, of the bucket that holds this share of all; 0.0 of none."""
        total = sum(self._counts)
        if not total:
            return 0.0
        running = list(accumulate(self._counts))
        at = bisect_left(running, max(1, math.ceil(share * total)))
        return _BOUNDS[min(at, len(_BOUNDS) - 1)]

    @property
    def latency(self) -> Latency:
        return Latency(self.quantile(0.50), self.quantile(0.95), self.quantile(0.99))


WINDOW_S = 15.0
"""How far back the shown rate looks."""


class Speed:
    """The rate of this run over the last WINDOW_S seconds, and the time it leaves.

    Only what this run did counts, so a resumed run is not taken for a miraculously fast one.
    """

    def __init__(self) -> None:
        self._points: deque[tuple[float, int, float]] = deque(maxlen=1024)

    def note(self, at_s: float, done: int, fraction: float | None) -> None:
        """At `at_s`, `done` outcomes of this run were there and `fraction` of the source."""
        self._points.append((at_s, done, fraction or 0.0))
        while len(self._points) > 2 and at_s - self._points[1][0] >= WINDOW_S:
            self._points.popleft()

    @property
    def rate_per_s(self) -> float:
        (start_s, before, _), (end_s, after, _) = self._ends()
        return (after - before) / (end_s - start_s) if end_s > start_s else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds until the source is behind, at the pace of the window; None if not to be told."""
        (start_s, _, begin), (end_s, _, fraction) = self._ends()
        pace = (fraction - begin) / (end_s - start_s) if end_s > start_s else 0.0
        return (1.0 - fraction) / pace if pace > 0 else None

    def _ends(self) -> tuple[tuple[float, int, float], tuple[float, int, float]]:
        nothing = (0.0, 0, 0.0)
        return (self._points[0], self._points[-1]) if self._points else (nothing, nothing)
