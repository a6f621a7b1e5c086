"""How do tests run a minute of waiting in no time? An event loop whose clock only moves when idle.

    def test_something():
        async def scenario():
            await asyncio.sleep(3600)

        run_virtually(scenario())

Whenever nothing is left to do now, the clock jumps to the next timer. Work handed to an executor
is outside: as long as some is under way the clock stands still and the loop really waits for it.
`loop.outside()` says the same for threads of one's own.
"""

from __future__ import annotations

import asyncio
import selectors
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from contextvars import Context

Result = TypeVar("Result")

START_S = 1000.0
"""The clock does not begin at 0, so that "no time yet" and "time nought" are not mistaken."""

PATIENCE_S = 10.0
"""Real seconds to wait for something outside before a loop without timers counts as hung."""


class Hung(Exception):
    """Nothing will ever wake this loop again: somebody awaits what nobody will do."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time. `turns` and `timers` count what the code under test cost."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.now_s = START_S
        self.turns = 0
        self.timers = 0
        self.outside_work = 0
        self.patience_s = patience_s
        super().__init__(_VirtualSelector(self))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now_s

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self.outside_work += 1
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: object) -> None:
        self.outside_work -= 1

    async def shutdown_default_executor(self, *timeout_s: float | None) -> None:
        """With a time limit from Python 3.12 on; the clock stands still and never reaches it."""
        with self.outside():
            await super().shutdown_default_executor(*timeout_s)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Hold the clock still: a thread will call back."""
        self.outside_work += 1
        try:
            yield
        finally:
            self.outside_work -= 1

    async def settle(self) -> None:
        """Let everything happen that can happen without time going by."""
        while self._ready:
            await asyncio.sleep(0)


class _VirtualSelector(selectors.DefaultSelector):
    """Moves the loop's clock where a real one would sleep."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.turns += 1
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        if timeout is None or self._loop.outside_work:
            return self._wait_really()
        self._loop.now_s += timeout
        return []

    def _wait_really(self) -> list[tuple[selectors.SelectorKey, int]]:
        expected = self._loop.outside_work or len(self.get_map()) > 1
        events = super().select(self._loop.patience_s if expected else 0)
        if not events:
            raise Hung(f"nothing left to wait for at t={self._loop.now_s - START_S:g} s")
        return events


def run_virtually(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` on a loop of this kind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
