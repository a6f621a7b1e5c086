"""Which items go out together when groups, priorities, costs or equal items matter?"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import TYPE_CHECKING, Any

from .batch_keys import ByKey
from .batch_lane import Entry, Lane
from .batching import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .batching import Batch, Labels, Limits, Reason


class Lanes:
    """A lane for each group that has items waiting. See `batching.Queue` for what is promised.

    When several groups could go, the one whose oldest item is due first does; one that is full but
    not due goes when none is due. An item with priority p is ranked as if it had arrived
    p * `ageing_s` seconds earlier, so nothing that arrives more than that much later, for the
    difference of priorities, overtakes an item: none starves.

    Where callers `share`, items of one group with equal keys are one item with several callers.

    Priorities are numbers and not NaN. What hashing and comparing groups and keys raises, `add`
    raises, and has done nothing then; nothing else asks them.
    """

    def __init__(
        self,
        limits: Limits,
        gone: Callable[[Any], bool],
        *,
        ageing_s: float = 0.0,
        share: bool = False,
    ) -> None:
        """`gone` tells of a caller whether it has left."""
        self._limits = limits
        self._gone = gone
        self._ageing_s = ageing_s
        self._share = share
        self._lanes: ByKey[Lane] = ByKey()
        self._full: dict[Lane, None] = {}
        self._by_age: list[tuple[float, int, Lane]] = []
        self._turns = count()
        self._now = 0.0
        self._count = 0
        self.left = 0
        self.easy = 0
        self.items: list[Any] = []
        self.callers: list[Any] = []

    def __len__(self) -> int:
        return self._count

    @property
    def groups(self) -> int:
        """How many groups have items waiting."""
        return len(self._lanes)

    def open(self, now: float) -> None:
        self._now = now

    def shut(self) -> None:
        """Nothing to do: `easy` is never more than 0."""

    def add(self, item: Any, caller: Any, labels: Labels = PLAIN) -> None:
        group, cost, priority, key = labels
        hashed, key_hashed = hash(group), hash(key)
        lane = self._lanes.find(hashed, group) or self._new_lane(hashed, group)
        rank = self._now - priority * self._ageing_s
        if self._share and lane.join(key_hashed, key, caller, rank):
            return
        lane.add(Entry(item, caller, self._now, cost, rank, key, key_hashed))
        self._count += 1
        if lane.is_full():
            self._full[lane] = None

    def _new_lane(self, hashed: int, group: Hashable) -> Lane:
        lane = Lane(group, hashed, self._limits, self._gone, self._share)
        self._lanes.put(hashed, group, lane)
        lane.turn = next(self._turns)
        heappush(self._by_age, (self._now, lane.turn, lane))
        return lane

    def take(self, now: float, hurry: Reason | None) -> Batch | None:
        while lane := self._candidate(now, hurry):
            before = lane.count
            batch = lane.take(now, hurry)
            lane.turn = next(self._turns)
            self._settle(lane, before)
            if batch is not None:
                return batch
        return None

    def _candidate(self, now: float, hurry: Reason | None) -> Lane | None:
        """The lane to look at next; looking at it may show that nobody waits there any more."""
        oldest = self._oldest()
        if oldest is None:
            return None
        if hurry is not None or now >= self._limits.due_at(oldest.oldest_at()):
            return oldest
        return next(iter(self._full), None)

    def _settle(self, lane: Lane, before: int) -> None:
        """Put `lane`, which had `before` items, where it belongs now."""
        self._count += lane.count - before
        self.left += lane.left
        lane.left = 0
        self._full.pop(lane, None)
        if not lane.count:
            self._lanes.remove(lane.hashed, lane)
        elif lane.is_full():
            self._full[lane] = None

    def _oldest(self) -> Lane | None:
        """The lane whose oldest item has waited longest; of equals, the one that went longest ago.

        What the heap says of a lane is never later than the truth, and is put right here.
        """
        while self._by_age:
            at, turn, lane = self._by_age[0]
            if not lane.count:
                heappop(self._by_age)
            elif (at, turn) == (lane.oldest_at(), lane.turn):
                return lane
            else:
                heapreplace(self._by_age, (lane.oldest_at(), lane.turn, lane))
        return None

    def due_at(self) -> float | None:
        oldest = self._oldest()
        return self._limits.due_at(oldest.oldest_at()) if oldest else None

    def sweep(self) -> None:
        for lane in list(self._lanes):
            before = lane.count
            lane.sweep()
            self._settle(lane, before)

    def clear(self) -> list[Any]:
        callers = [caller for lane in self._lanes for caller in lane.clear()]
        self._lanes.clear()
        self._full.clear()
        self._by_age.clear()
        self._count = 0
        return callers
