"""When does waiting for more items pay? Learned from how long batches run and how often items come.

A batch of n items is taken to run for F + v n seconds; F and v are learned by least squares. With
one slot it never pays to keep it idle: while a batch runs the next one fills by itself. With c
slots under load it does: if every item took the first free slot, all slots would soon be busy with
small batches, each of which costs F. So starts are spaced by

    F / c seconds, as long as R / g >= c / 2

where R is the mean run time and g the mean gap between arrivals: R / g slots would be busy if each
arrival went alone. Where v is all the cost there is, F is 0 and nothing waits.
"""

from __future__ import annotations

from math import inf

FADE = 0.95
"""Weight of a batch in relation to the one after it: about the last 20 count."""
GAP_FADE = 0.9
LOAD_SHARE = 0.5
MIN_SPREAD = 0.05
"""Sizes that differ by less, as variance over the square of the mean, tell nothing of v."""


class Patience:
    """Says when the next batch may start. Holds no clock: seconds of whatever clock is used."""

    def __init__(self, slots: float) -> None:
        self._slots = slots
        self._weight = self._n = self._nn = self._t = self._nt = 0.0
        self._gap_s = 0.0
        self._arrived_at: float | None = None
        self._started_at = -inf

    def arrived(self, now: float) -> None:
        """Items have come, or callers may call again: once for all of the same tick."""
        if self._arrived_at is not None:
            gap_s = now - self._arrived_at
            fade = GAP_FADE if self._gap_s else 0.0
            self._gap_s = fade * self._gap_s + (1 - fade) * gap_s
        self._arrived_at = now

    def started(self, now: float) -> None:
        """A batch has started."""
        self._started_at = now

    def ran(self, size: int, run_s: float) -> None:
        """A batch of `size` items has ended after `run_s` seconds."""
        self._weight = FADE * self._weight + 1
        self._n = FADE * self._n + size
        self._nn = FADE * self._nn + size * size
        self._t = FADE * self._t + run_s
        self._nt = FADE * self._nt + size * run_s

    def next_at(self) -> float:
        """When the next batch may start at the earliest, even if a slot is free."""
        if self._slots == 1 or self._slots == inf or not self._is_loaded():
            return -inf
        return self._started_at + self.fixed_s() / self._slots

    def _is_loaded(self) -> bool:
        if not self._weight or not self._gap_s:
            return False
        return self._t / self._weight / self._gap_s >= LOAD_SHARE * self._slots

    def fixed_s(self) -> float:
        """F: what a batch costs besides its items; 0.0 before the first batch has ended."""
        if not self._weight:
            return 0.0
        size, run_s = self._n / self._weight, self._t / self._weight
        return max(0.0, run_s - self._item_s(size, run_s) * size)

    def _item_s(self, size: float, run_s: float) -> float:
        """v: what an item adds, from 0 to its share of the whole."""
        variance = self._nn / self._weight - size * size
        if variance <= MIN_SPREAD * size * size:
            return 0.0
        slope = (self._nt / self._weight - size * run_s) / variance
        return min(max(0.0, slope), run_s / size)
