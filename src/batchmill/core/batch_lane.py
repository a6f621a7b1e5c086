"""Which items of one group go next?"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

from .batch_keys import ByKey
from .batching import Batch, Limits, Reason, why_now

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

SLACK = 64
"""Entries that have left and are still held, besides as many as there are waiting."""


class Entry:
    """An item that waits, and who waits for it."""

    __slots__ = ("at", "callers", "cost", "hashed", "item", "key", "rank", "waits")

    def __init__(
        self, item: Any, caller: Any, at: float, cost: float, rank: float, key: Any, hashed: int
    ) -> None:
        self.item = item
        self.callers = [caller]
        self.at = at
        self.cost = cost
        self.rank = rank
        self.key = key
        self.hashed = hashed
        self.waits = True


class Lane:
    """The items of one group, by rank; the lowest goes first, and the earlier of equals."""

    def __init__(
        self,
        group: Hashable,
        hashed: int,
        limits: Limits,
        gone: Callable[[Any], bool],
        share: bool,
    ) -> None:
        self.group = group
        self.hashed = hashed
        self.count = 0
        self.left = 0
        self.turn = 0
        self._limits = limits
        self._gone = gone
        self._share = share
        self._total = 0.0
        self._by_rank: list[tuple[float, int, Entry]] = []
        self._by_age: deque[Entry] = deque()
        self._by_cost: list[tuple[float, int, Entry]] = []
        self._by_key: ByKey[Entry] = ByKey()
        self._numbers = count()

    def join(self, hashed: int, key: Any, caller: Any, rank: float) -> bool:
        """Let `caller` wait for an equal item, if there is one. Raises what comparing raises."""
        entry = self._by_key.find(hashed, key)
        if entry is None:
            return False
        entry.callers.append(caller)
        if rank < entry.rank:
            entry.rank = rank
            heappush(self._by_rank, (rank, next(self._numbers), entry))
        return True

    def add(self, entry: Entry) -> None:
        number = next(self._numbers)
        heappush(self._by_rank, (entry.rank, number, entry))
        self._by_age.append(entry)
        if self._limits.padded:
            heappush(self._by_cost, (-entry.cost, number, entry))
        if self._share:
            self._by_key.put(entry.hashed, entry.key, entry)
        self.count += 1
        self._total += entry.cost

    def oldest_at(self) -> float:
        """When the oldest item arrived. There must be one."""
        while not self._by_age[0].waits:
            self._by_age.popleft()
        return self._by_age[0].at

    def is_full(self) -> bool:
        """Whether there is as much as fits in one batch, or more."""
        return self._why(due=False, hurry=None) is not None

    def _why(self, *, due: bool, hurry: Reason | None) -> Reason | None:
        cost = self._limits.cost(self.count, self._total, self._longest())
        return why_now(self._limits, self.count, cost, due, hurry)

    def _longest(self) -> float:
        while self._by_cost and not self._by_cost[0][2].waits:
            heappop(self._by_cost)
        return -self._by_cost[0][0] if self._by_cost else 0.0

    def take(self, now: float, hurry: Reason | None) -> Batch | None:
        """The next batch, if there is a reason for one when nobody counts who has gone."""
        if self._reason(now, hurry) is None:
            return None
        taken = self._fill()
        reason = self._reason(now, hurry)
        if reason is None:
            for entry in taken:
                heappush(self._by_rank, (entry.rank, next(self._numbers), entry))
            return None
        waited_s = now - self.oldest_at()
        for entry in taken:
            self._remove(entry)
        self._compact()
        return self._batch(taken, reason, waited_s)

    def _reason(self, now: float, hurry: Reason | None) -> Reason | None:
        due = bool(self.count) and now >= self._limits.due_at(self.oldest_at())
        return self._why(due=due, hurry=hurry)

    def _fill(self) -> list[Entry]:
        """Take items off in order as long as the next one fits; they still count as waiting."""
        taken: list[Entry] = []
        total = longest = 0.0
        while self._by_rank and len(taken) < self._limits.max_batch_size:
            rank, _, entry = self._by_rank[0]
            if entry.waits and rank == entry.rank and self._still_wanted(entry):
                total += entry.cost
                longest = max(longest, entry.cost)
                if self._limits.cost(len(taken) + 1, total, longest) > self._limits.max_batch_cost:
                    break
                taken.append(entry)
            heappop(self._by_rank)
        return taken

    def _still_wanted(self, entry: Entry) -> bool:
        """Let go of callers who have gone, and of the item if none is left."""
        staying = [caller for caller in entry.callers if not self._gone(caller)]
        self.left += len(entry.callers) - len(staying)
        entry.callers = staying
        if not staying:
            self._remove(entry)
        return bool(staying)

    def _remove(self, entry: Entry) -> None:
        entry.waits = False
        if self._share:
            self._by_key.remove(entry.hashed, entry)
        self.count -= 1
        self._total = self._total - entry.cost if self.count else 0.0

    def _compact(self) -> None:
        """Let go of entries that have left, so that one old item does not keep many others."""
        if len(self._by_age) > 2 * self.count + SLACK:
            self._by_age = deque(entry for entry in self._by_age if entry.waits)
            self._by_cost = [known for known in self._by_cost if known[2].waits]
            heapify(self._by_cost)

    def _batch(self, taken: list[Entry], reason: Reason, waited_s: float) -> Batch:
        items = [entry.item for entry in taken]
        callers = [entry.callers if self._share else entry.callers[0] for entry in taken]
        return Batch(items, callers, reason, waited_s, self.group)

    def sweep(self) -> None:
        """Drop everybody who has gone."""
        waiting = [entry for entry in self._by_age if entry.waits and self._still_wanted(entry)]
        self._by_age = deque(waiting)
        self._by_rank = [(entry.rank, next(self._numbers), entry) for entry in waiting]
        heapify(self._by_rank)

    def clear(self) -> list[Any]:
        """Drop everything and return the callers."""
        waiting = [entry for entry in self._by_age if entry.waits]
        for entry in waiting:
            self._remove(entry)
        return [caller for entry in waiting for caller in entry.callers]
