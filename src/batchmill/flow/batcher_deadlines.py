"""How do callers with a time limit of their own get out, without a timer each?"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

from ..options import require
from .batcher_alarm import Alarm

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

SLACK = 64
"""Callers who have been answered and are still held, besides as many as are not."""


def require_seconds(timeout_s: float) -> None:
    """Raise a ConfigError for NaN, a time that never comes; TypeError for what is no number."""
    require(not math.isnan(timeout_s), "timeout", timeout_s, "seconds, or None for no limit")


class Deadlines:
    """One timer for all callers. A caller who is not answered in time gets a TimeoutError."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, float, Future[Any]]] = []
        self._numbers = count()
        self._alarm = Alarm(loop, self._expire)
        self._purge_at = SLACK

    def add(self, caller: Future[Any], timeout_s: float) -> None:
        """Raises ConfigError if `timeout_s` is not a number."""
        require_seconds(timeout_s)
        when = self._loop.time() + timeout_s
        heappush(self._heap, (when, next(self._numbers), timeout_s, caller))
        if len(self._heap) > self._purge_at:
            self._purge()
        self._arm()

    def close(self) -> None:
        """Forget everybody."""
        self._heap.clear()
        self._alarm.cancel()

    def _purge(self) -> None:
        self._heap = [known for known in self._heap if not known[3].done()]
        heapify(self._heap)
        self._purge_at = 2 * len(self._heap) + SLACK

    def _arm(self) -> None:
        while self._heap and self._heap[0][3].done():
            heappop(self._heap)
        if self._heap:
            self._alarm.set(self._heap[0][0])

    def _expire(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            _, _, timeout_s, caller = heappop(self._heap)
            if not caller.done():
                caller.set_exception(TimeoutError(f"no answer within {timeout_s:g} s"))
        self._arm()
