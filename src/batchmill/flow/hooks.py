"""How does a stop signal reach a run that is inside `on_startup` or `on_shutdown`?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from .stop import Stop


class Hooks:
    """Gives up a hook of the task that does not return, once the stop signal says "cancel".

    A hook that begins after that is given `grace_s`, and cancelled again every `grace_s`.
    """

    def __init__(self, stop: Stop, grace_s: float, now: Callable[[], float]) -> None:
        self._stop = stop
        self._grace_s = grace_s
        self._now = now
        self._task: asyncio.Task[object] | None = None
        self._since: float | None = None
        self._given_up = False

    async def __aenter__(self) -> Hooks:
        self._task = asyncio.current_task()
        self._since = self._now()
        self._stop.listeners.append(self._on_stop)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._since = None
        return self._given_up and isinstance(error, asyncio.CancelledError)

    @contextmanager
    def over(self) -> Iterator[None]:
        """No hook is running in this block."""
        self._since = None
        try:
            yield
        finally:
            self._since = self._now()

    def tick(self, now: float) -> None:
        """Give the hook up if it has had its grace."""
        late = self._since is not None and now - self._since > self._grace_s
        if late and self._stop.level == "cancel":
            self._give_up()

    def _on_stop(self) -> None:
        if self._since is not None and self._stop.level == "cancel":
            self._give_up()

    def _give_up(self) -> None:
        assert self._task
        self._since = self._now()
        self._given_up = True
        self._task.cancel()
        self._task.uncancel()
