"""How long is a slot that has just become free kept for the callers who have just been answered?

They may call again at once. If what waits went without them, they would go in the next batch, and
two half-full batches would take turns from then on. A call comes back within one tick of the event
loop, or some ticks later if the answer passes through tasks, `wait_for` or `gather` on its way. So
a lull lasts some ticks, but beyond the first one never long in relation to what a batch costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Handle
    from collections.abc import Callable
    from contextvars import Context

MOST_TICKS = 8
"""An answer through a `gather` in a `gather` needs six."""
MOST_SHARE = 0.1
"""Of the time that the batch took."""


class Lull:
    """Calls `end()` once the callers have had time to call again, or when it no longer `pays()`."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        pays: Callable[[], bool],
        end: Callable[[], None],
        context: Context | None = None,
    ) -> None:
        self._loop = loop
        self._pays = pays
        self._end = end
        self._context = context
        self._until = 0.0
        self._ticks = 0
        self._handle: Handle | None = None

    @property
    def is_on(self) -> bool:
        return self._handle is not None

    def begin(self, now: float, run_s: float) -> None:
        """A slot has become free after `run_s` seconds."""
        self.cancel()
        self._until = now + MOST_SHARE * run_s
        self._ticks = 0
        self._wait()

    def _wait(self) -> None:
        self._handle = self._loop.call_soon(self._tick, context=self._context)

    def _tick(self) -> None:
        self._ticks += 1
        if self._ticks < MOST_TICKS and self._pays() and self._loop.time() <= self._until:
            self._wait()
        else:
            self._handle = None
            self._end()

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
