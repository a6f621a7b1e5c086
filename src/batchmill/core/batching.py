"""When does waiting end, and why? The rules of batching, without a clock and without an event loop.

Two queues keep these rules: `batch_line.Line` (by count and age only, and fast), and
`batch_lanes.Lanes` (groups, priorities, costs, equal items). Whoever acts on them says what time it
is and whether a slot stands free; they say which items go out together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable

UNLIMITED = 2**63
"""A number of items that is never reached."""


Reason = Literal["size", "cost", "time", "idle", "flush"]
"""Why a batch was released.

size    It, or the whole queue, holds as many items as it may.
cost    The next item would cost too much, or the limit is met exactly.
time    Its oldest item has waited `max_queue_time_s`.
idle    A slot had nothing else to do.
flush   The batcher is being stopped.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a batch may hold and how long its items may wait for it."""

    max_batch_size: int = UNLIMITED
    max_queue_time_s: float = 0.01
    max_batch_cost: float = math.inf
    padded: bool = False
    """Whether a batch costs its longest item times its length; otherwise the sum of its items."""

    def cost(self, count: int, total: float, longest: float) -> float:
        """The cost of a batch of `count` items whose costs add up to `total`."""
        return longest * count if self.padded else total

    def due_at(self, oldest_at: float) -> float:
        """When items of which the oldest arrived at `oldest_at` have waited long enough."""
        return oldest_at + self.max_queue_time_s

    def admits(self, cost: float) -> bool:
        """Whether an item of this cost can be in a batch at all.

        NaN, less than 0 and infinity cannot, even where there is no limit.
        """
        return 0 <= cost <= self.max_batch_cost and cost < math.inf


class Labels(NamedTuple):
    """What is known of an item besides that it is there."""

    group: Hashable = None
    cost: float = 0.0
    priority: float = 0.0
    key: Hashable = None


PLAIN = Labels()


@dataclass(slots=True)
class Batch:
    """Items that go out together."""

    items: list[Any]
    callers: list[Any]
    """Who asked for each item, in step with `items`; a list of callers each where they share."""
    reason: Reason
    waited_s: float
    """How long its oldest item has waited."""
    group: Any = None

    def __len__(self) -> int:
        return len(self.items)


class Queue(Protocol):
    """Items that wait. Time is told by `open`, which is called before the first `add` of a tick."""

    left: int
    """Items that were dropped because their callers had gone."""
    easy: int
    """As long as `items` is shorter than this, whoever is in a hurry may append to `items` and
    `callers` in place of calling `add`."""
    items: list[Any]
    callers: list[Any]

    def __len__(self) -> int: ...

    def open(self, now: float) -> None:
        """A tick begins: what is added until `shut` has arrived at `now`, which never decreases."""
        ...

    def shut(self) -> None:
        """The tick has ended."""
        ...

    def add(self, item: Any, caller: Any, labels: Labels) -> None:
        """Let an item wait that the limits admit."""
        ...

    def take(self, now: float, hurry: Reason | None) -> Batch | None:
        """The next batch to go, if one is to go now. None of its callers has gone.

        `hurry` is the reason to let go what is neither full nor due, if there is one.
        """
        ...

    def due_at(self) -> float | None:
        """When to ask again at the latest, or None if nothing waits."""
        ...

    def sweep(self) -> None:
        """Drop the items whose callers have gone."""
        ...

    def clear(self) -> list[Any]:
        """Drop everything and return the callers."""
        ...


def why_now(
    limits: Limits, count: int, cost: float, due: bool, hurry: Reason | None
) -> Reason | None:
    """Why `count` waiting items go now; None if they wait. `due`: the oldest has waited enough."""
    if not count:
        return None
    if count >= limits.max_batch_size:
        return "size"
    if cost >= limits.max_batch_cost:
        return "cost"
    return "time" if due else hurry


def half_of(count: int) -> int:
    """How many of `count` items go together once a call for all of them has failed."""
    return max(1, count // 2)
