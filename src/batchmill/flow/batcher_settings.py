"""What can be set on a batcher, what it means, and which queue it needs?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeGuard, TypeVar

from ..core.batch_lanes import Lanes
from ..core.batch_line import Line
from ..core.batching import UNLIMITED, Limits, Queue
from ..options import require

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from concurrent.futures import Executor

T = TypeVar("T")

Dispatch = Literal["due", "freed", "idle"]
WhenFull = Literal["raise", "wait"]


class BatcherOptions(TypedDict, Generic[T], total=False):
    """The keyword arguments of AsyncBatcher and `batched`; Settings says what they mean."""

    max_batch_size: int
    max_queue_time: float | Literal["auto"]
    concurrency: int
    max_queue_size: int
    executor: Executor | None
    max_batch_cost: float | None
    cost: Callable[[T], float] | None
    padded: bool
    when_full: WhenFull
    group_by: Callable[[T], Hashable] | None
    dedupe: Callable[[T], Hashable] | None
    priorities: bool
    ageing: float
    dispatch: Dispatch
    split: bool
    cancel_abandoned: bool
    keep_contexts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a batcher forms batches and runs them. Raises ConfigError for values out of range."""

    max_batch_size: int = -1
    """The most items in a batch; -1 for any number."""
    max_queue_time: float | Literal["auto"] = 0.01
    """Seconds the oldest item waits, at most, for others while a slot is free. 0: until the end of
    this tick of the event loop. "auto": as long as that pays, by what was learned of the batches
    and the arrivals so far (see core/batch_patience)."""
    concurrency: int = 1
    """Slots: how many batches run at a time; -1 for any number."""
    max_queue_size: int = -1
    """The most items waiting; -1 or 0 for any number. A full queue does not wait for more."""
    executor: Executor | None = None
    """Where a plain process_batch runs; None for the loop's own threads."""
    max_batch_cost: float | None = None
    """The most a batch may cost. An item that costs more fails at once with ItemTooCostly."""
    cost: Callable[[Any], float] | None = None
    """What an item costs, 0 or more; `len` unless said otherwise."""
    padded: bool = False
    """A batch costs its costliest item times its number of items; otherwise the sum."""
    when_full: WhenFull = "raise"
    """What process() does when the queue is full: raise QueueFullException, or wait for its turn.
    submit() cannot wait and always raises."""
    group_by: Callable[[Any], Hashable] | None = None
    """Items for which this differs never share a batch."""
    dedupe: Callable[[Any], Hashable] | None = None
    """Waiting items of a group for which this is equal are run once, for all their callers."""
    priorities: bool = False
    """Whether process(item, priority=...) is heard: higher goes first."""
    ageing: float = 1.0
    """Seconds of waiting that are worth one level of priority."""
    dispatch: Dispatch = "freed"
    """When a batch goes that is neither full nor due: "due" never; "freed" when all slots were busy
    and one frees; "idle" at the end of any tick while a slot is free."""
    split: bool = True
    """Call process_batch again with halves of a batch for which it raised, until the items that
    make it raise are alone; at most 2n - 1 calls for n items."""
    cancel_abandoned: bool = False
    """Cancel an async process_batch when every caller of the batch has gone."""
    keep_contexts: bool = False
    """Keep each caller's contextvars for `current_batch().contexts`."""

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_choices()
        _require_callable("cost", self.cost)
        _require_callable("group_by", self.group_by)
        _require_callable("dedupe", self.dedupe)
        require(self.max_batch_cost is not None or (self.cost is None and not self.padded),
                "max_batch_cost", None, "give it a number, as cost or padded is set")  # fmt: skip

    def _check_numbers(self) -> None:
        for option in ("max_batch_size", "concurrency"):
            value = getattr(self, option)
            require(_is_whole(value) and (value >= 1 or value == -1), option, value,
                    "1 or more, or -1 for no limit")  # fmt: skip
        require(_is_whole(self.max_queue_size) and self.max_queue_size >= -1, "max_queue_size",
                self.max_queue_size, "1 or more, or -1 for no limit")  # fmt: skip
        wait = self.max_queue_time
        require(wait == "auto" or (_is_number(wait) and wait >= 0), "max_queue_time", wait,
                '0 or more seconds, or "auto"')  # fmt: skip
        require(_is_number(self.ageing) and 0 < self.ageing < math.inf, "ageing", self.ageing,
                "more than 0 seconds")  # fmt: skip
        cost = self.max_batch_cost
        require(cost is None or (_is_number(cost) and cost > 0), "max_batch_cost", cost,
                "more than 0, or None for no limit")  # fmt: skip

    def _check_choices(self) -> None:
        require(self.when_full in {"raise", "wait"}, "when_full", self.when_full,
                '"raise" or "wait"')  # fmt: skip
        require(self.dispatch in {"due", "freed", "idle"}, "dispatch", self.dispatch,
                '"due", "freed" or "idle"')  # fmt: skip
        require(self.max_queue_time != "auto" or self.dispatch == "freed", "dispatch",
                self.dispatch, 'leave it out, as max_queue_time="auto" decides')  # fmt: skip

    @property
    def slots(self) -> float:
        return math.inf if self.concurrency == -1 else self.concurrency

    @property
    def queue_bound(self) -> int:
        return self.max_queue_size if self.max_queue_size > 0 else UNLIMITED

    @property
    def limits(self) -> Limits:
        return Limits(
            max_batch_size=UNLIMITED if self.max_batch_size == -1 else self.max_batch_size,
            max_queue_time_s=math.inf if self.max_queue_time == "auto" else self.max_queue_time,
            max_batch_cost=math.inf if self.max_batch_cost is None else self.max_batch_cost,
            padded=self.padded,
        )

    @property
    def is_plain(self) -> bool:
        """Whether nothing about an item matters but that it is there."""
        needs_lanes = (self.max_batch_cost, self.group_by, self.dedupe)
        return not self.priorities and all(need is None for need in needs_lanes)

    def queue(self, gone: Callable[[Any], bool]) -> Queue:
        """The cheapest queue that does what is set."""
        if self.is_plain:
            # Contexts are kept by `add`, so with them there is no short way around it.
            return Line(self.limits, gone, 0 if self.keep_contexts else self.queue_bound)
        share = self.dedupe is not None
        return Lanes(self.limits, gone, ageing_s=self.ageing, share=share)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not math.isnan(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require_callable(option: str, value: object) -> None:
    require(value is None or callable(value), option, value, "a function of an item, or None")
