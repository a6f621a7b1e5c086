"""Which items go out together when only their number and their age matter?"""

from __future__ import annotations

from collections import deque
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Any

from .batching import PLAIN, UNLIMITED, Batch, Labels, Limits, Reason, why_now

if TYPE_CHECKING:
    from collections.abc import Callable

Parcel = tuple[float, list[Any], list[Any]]
"""When they arrived, items, callers: what one tick added, cut at the size of a batch."""


class Line:
    """First come, first served. See `batching.Queue` for what its methods promise.

    Items are kept in parcels, one or more a tick, so that an item costs two appends and a full
    batch is handed over without being copied.
    """

    __slots__ = (
        "_at", "_bound", "_gone", "_limits", "_open", "_parcels", "_stored", "callers", "easy",
        "items", "left",
    )  # fmt: skip

    def __init__(self, limits: Limits, gone: Callable[[Any], bool], bound: int = UNLIMITED) -> None:
        """`gone` tells of a caller whether it has left; `bound` is the longest the line may get."""
        self._limits = limits
        self._gone = gone
        self._bound = bound
        self._parcels: deque[Parcel] = deque()
        self._stored = 0
        self._at = 0.0
        self._open = False
        self.items: list[Any] = []
        self.callers: list[Any] = []
        self.easy = 0
        self.left = 0

    def __len__(self) -> int:
        return self._stored + len(self.items)

    def open(self, now: float) -> None:
        self._store()
        self._at = now
        self._open = True
        self._ease()

    def shut(self) -> None:
        self._open = False
        self.easy = 0

    def add(self, item: Any, caller: Any, _: Labels = PLAIN) -> None:
        if len(self.items) >= self._limits.max_batch_size:
            self._store()
            self._ease()
        self.items.append(item)
        self.callers.append(caller)

    def take(self, now: float, hurry: Reason | None) -> Batch | None:
        self._store()
        limits = self._limits
        while self._parcels:
            due = now >= limits.due_at(self._parcels[0][0])
            reason = why_now(limits, self._stored, 0.0, due, hurry)
            if reason is None:
                break
            at, items, callers = self._pop(limits.max_batch_size)
            if not any(map(self._gone, callers)):
                self._ease()
                return Batch(items, callers, reason, now - at)
            self._put_back(self._living((at, items, callers)))
        self._ease()
        return None

    def due_at(self) -> float | None:
        self._store()
        return self._limits.due_at(self._parcels[0][0]) if self._parcels else None

    def sweep(self) -> None:
        self._store()
        parcels, self._parcels, self._stored = self._parcels, deque(), 0
        for parcel in reversed(parcels):
            self._put_back(self._living(parcel))
        self._ease()

    def clear(self) -> list[Any]:
        self._store()
        callers = [caller for parcel in self._parcels for caller in parcel[2]]
        self._parcels.clear()
        self._stored = 0
        return callers

    def _ease(self) -> None:
        """Say how far the open parcel may grow without anyone looking."""
        if self._open:
            self.easy = min(self._limits.max_batch_size, self._bound - self._stored)

    def _store(self) -> None:
        """Close the open parcel and begin another."""
        if self.items:
            self._parcels.append((self._at, self.items, self.callers))
            self._stored += len(self.items)
            self.items, self.callers = [], []

    def _pop(self, count: int) -> Parcel:
        """The first `count` items, or all if they are fewer; they arrived when the oldest did."""
        at, items, callers = self._parcels.popleft()
        while len(items) < count and self._parcels:
            next_at, more_items, more_callers = self._parcels.popleft()
            items += more_items
            callers += more_callers
            if len(items) > count:
                self._parcels.appendleft((next_at, items[count:], callers[count:]))
                del items[count:], callers[count:]
        self._stored -= len(items)
        return at, items, callers

    def _living(self, parcel: Parcel) -> Parcel:
        at, items, callers = parcel
        stays = list(map(not_, map(self._gone, callers)))
        self.left += stays.count(False)
        return at, list(compress(items, stays)), list(compress(callers, stays))

    def _put_back(self, parcel: Parcel) -> None:
        if parcel[1]:
            self._parcels.appendleft(parcel)
            self._stored += len(parcel[1])
