"""How is one timer enough for many moments? It is set for the earliest, and set again later."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable
    from contextvars import Context


class Alarm:
    """Calls `ring(now)` once, at the earliest moment it was set to; it must then be set again.

    A timer may go off a little early: `now` is never before the moment that was meant.
    """

    def __init__(
        self, loop: AbstractEventLoop, ring: Callable[[float], None], context: Context | None = None
    ) -> None:
        self._loop = loop
        self._ring = ring
        self._context = context
        self._timer: TimerHandle | None = None

    def set(self, when: float) -> None:
        """Ring at `when`, or before if it is set to that already. Never, if `when` is infinite."""
        if when == inf:
            return
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._go_off, when, context=self._context)

    def _go_off(self, when: float) -> None:
        self._timer = None
        self._ring(max(when, self._loop.time()))

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
