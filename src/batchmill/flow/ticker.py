"""What has to be looked at by the clock, and not by the record?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from ..slots import Engine
from .commit import Committer
from .desk import RunDesk
from .feed import RunFeed
from .hooks import Hooks
from .stop import Stop
from .watch import Meter, Watch

TICK_S = 0.05
"""How often the clock is looked at. Time limits and commits are so late at most."""
LAG_S = 1.0
"""How long the event loop may be blocked before it is said."""


class Ticker:
    """One timer for the whole run: commits that are due, time limits, grace, progress."""

    def __init__(
        self,
        desk: RunDesk,
        feed: RunFeed,
        committer: Committer,
        engine: Engine,
        meter: Meter,
        hooks: Hooks,
        watch: Watch,
        stop: Stop,
        *,
        grace_s: float,
    ) -> None:
        self._desk = desk
        self._feed = feed
        self._committer = committer
        self._engine = engine
        self._meter = meter
        self._hooks = hooks
        self._watch = watch
        self._stop = stop
        self._grace_s = grace_s
        self._now: Callable[[], float] = desk.clock.now
        self._drain_since: float | None = None
        self._ticked_at = self._now()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Ticker:
        self._stop.listeners.append(self._on_stop)
        self._task = asyncio.create_task(self._tick_for_ever())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._task
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._tick(self._now())
            except Exception as error:
                self._stop.cancel("an error in the ticker", error=error)

    def _tick(self, now: float) -> None:
        self._tell_lag(now)
        self._desk.settle()
        self._committer.offer(self._desk.draft)
        self._engine.expire(now)
        self._end_grace(now)
        self._hooks.tick(now)
        self._meter.tick(now)

    def _tell_lag(self, now: float) -> None:
        lag_s = now - self._ticked_at - TICK_S
        if lag_s > LAG_S:
            self._watch.note(
                f"the event loop stood still for {lag_s:.1f} s: the task blocks it (record"
                f" {self._engine.oldest()}); use a plain function, or asyncio.to_thread",
                "warning",
            )
        self._ticked_at = now

    def _on_stop(self) -> None:
        if self._stop.level == "cancel":
            self._engine.cancel()
        elif self._drain_since is None:
            self._drain_since = self._now()
            self._engine.drain()
            self._watch.note(
                f"stopping: {self._stop.reason}; {self._feed.in_flight} calls in flight have"
                f" {self._grace_s:g} s to end"
            )

    def _end_grace(self, now: float) -> None:
        if self._drain_since is not None and now - self._drain_since > self._grace_s:
            self._stop.cancel("the grace period is over")
        if self._stop.level == "cancel":
            self._engine.cancel()
