"""Who may come in? A call is checked here before it waits, and refused with a reason."""

from __future__ import annotations

import asyncio
import math
from asyncio import AbstractEventLoop, Future
from contextvars import copy_context
from numbers import Real
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any

from ..core.batching import PLAIN, Labels
from .batcher_errors import BatcherStopped, ItemTooCostly, QueueFullException, WrongLoop
from .batcher_running import INSIDE
from .batcher_state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from .batcher_pump import Pump
    from .batcher_settings import Settings

Caller = Future[Any]


class Entrance:
    """Lets items in, and binds the batcher to the event loop of its first caller."""

    def __init__(self, pump: Pump, function: Callable[[], Callable[..., Any]]) -> None:
        """`function` gives process_batch; it is asked once for each event loop."""
        self._pump = pump
        self._function = function
        self._settings: Settings = pump.settings
        self._is_plain = pump.settings.is_plain
        self._keeps_contexts = pump.settings.keep_contexts
        self._binding = Lock()

    def submit(
        self, item: Any, priority: float, timeout_s: float | None, *, may_wait: bool
    ) -> Caller:
        """Let `item` wait; the future gets its result. Raises what AsyncBatcher.submit says."""
        pump = self._pump
        loop = self.bind()
        inside = INSIDE.get()
        nested = inside is not None and inside.is_within(pump)
        if pump.state is not State.OPEN and not (nested and pump.state is State.DRAINING):
            raise BatcherStopped(
                "the batcher is stopped", hint="`await batcher.start()` reopens it"
            )
        is_plain = self._is_plain and priority == 0
        labels = PLAIN if is_plain else self._labels(item, _ordered(priority))
        at_door = not nested and pump.is_full() and self._must_wait(may_wait=may_wait)
        caller: Caller = Future(loop=loop)
        if timeout_s is not None:
            pump.deadlines.add(caller, timeout_s)
        if self._keeps_contexts or inside is not None:
            pump.contexts[caller] = copy_context()
            pump.knows_contexts = True
        if at_door:
            pump.door.append((item, caller, labels))
        else:
            pump.add(pump.nested if nested else pump.line, item, caller, labels)
        return caller

    def _must_wait(self, *, may_wait: bool) -> bool:
        """Whether the caller waits for room. Raises QueueFullException if it does not."""
        if may_wait and self._settings.when_full == "wait":
            return True
        self._pump.tally.refused += 1
        message = f"{len(self._pump.line)} items are waiting, as many as max_queue_size allows"
        raise QueueFullException(message)

    def _labels(self, item: Any, priority: float) -> Labels:
        """What the queue has to know of an item. The user's functions raise into their caller."""
        settings = self._settings
        if priority and not settings.priorities:
            raise ValueError("this batcher has no priorities; make it with priorities=True")
        labels = Labels(
            group=settings.group_by(item) if settings.group_by else None,
            cost=0.0 if settings.max_batch_cost is None else self._cost(item),
            priority=priority,
            key=settings.dedupe(item) if settings.dedupe else None,
        )
        hash(labels)
        return labels

    def _cost(self, item: Any) -> float:
        cost = (self._settings.cost or len)(item)
        limit = self._settings.limits.max_batch_cost
        if not self._settings.limits.admits(cost):
            hint = "split the item, or raise max_batch_cost" if cost > limit else None
            raise ItemTooCostly(f"the item costs {cost}; a batch may cost {limit:g}", hint=hint)
        return float(cost)

    def bind(self) -> AbstractEventLoop:
        """The running loop, which the batcher serves from now on.

        Raises WrongLoop if it serves another one that is not over, or if none is running here.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongLoop("no event loop runs in this thread", hint="use process_sync") from None
        if loop is not self._pump.loop:
            with self._binding:
                self._rebind(loop)
        return loop

    def _rebind(self, loop: AbstractEventLoop) -> None:
        if not self.is_free():
            raise WrongLoop(
                "this batcher serves another event loop that is not over",
                hint="make a batcher for each loop, or call process_sync from other threads",
            )
        self._pump.attach(loop, get_ident(), self._function())

    def is_free(self) -> bool:
        """Whether no event loop has a claim on the batcher."""
        bound = self._pump.loop
        if bound is None or bound.is_closed():
            return True
        return not bound.is_running() and self._pump.is_idle()


def _ordered(priority: object) -> float:
    """The priority as a float. Raises TypeError or ValueError if it cannot be put in order."""
    if not isinstance(priority, Real):
        raise TypeError(f"priority = {priority!r} is not a number")
    if math.isnan(priority):
        raise ValueError(f"priority = {priority!r} is neither higher nor lower than any other")
    return float(priority)
