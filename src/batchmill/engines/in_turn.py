"""How does a worker process call, and note for its driver what it calls?"""

from __future__ import annotations

import asyncio
from asyncio.events import _set_running_loop
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from ..calling import here
from ..tasks.context import running
from .base import Setting
from .blocking import Blocking
from .cells import IDLE, Cells
from .forked import not_inherited
from .lane import Lane
from .loop_slot import LoopSlot
from .work import Failed, Work


class LaneSlot(LoopSlot):
    """A slot that notes in shared memory what it calls."""

    __slots__ = ("_at", "_busy", "_cells", "_started", "_times", "_words")

    def __init__(self, setting: Setting, desk: Any) -> None:
        cells: Cells = desk.cells
        self._words, self._times, self._at = cells.of(desk.number)
        super().__init__(setting, desk)

    @property
    def started(self) -> float:
        return self._started

    @started.setter
    def started(self, at: float) -> None:
        # Like Cells.note, without its call for every record.
        self._started = self._times[self._at + 1] = at
        self._words[self._at] = self.seq

    @property
    def busy(self) -> bool:
        return self._busy

    @busy.setter
    def busy(self, busy: bool) -> None:
        self._busy = busy
        if not busy:
            self._times[self._at + 1] = IDLE


class Noted(list[Failed]):
    """The failures of some work, as values. The work ends with one that asks for a pause, before
    the driver knows of it."""

    def __init__(self, lane: Lane, end_work: Callable[[], None]) -> None:
        super().__init__()
        self._lane = lane
        self._end_work = end_work

    def append(self, failed: Failed) -> None:
        failure, asks = self._lane.noted(failed.error)
        super().append(failed._replace(error=failure))
        if asks:
            self._end_work()


class InTurn:
    """An engine for plain functions, whose slots do not overlap: a call blocks the process."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._blocking = Blocking(setting)
        self._work = Work(())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with running(self._setting.task, self._setting.slots) as self._blocking.context:
            # In a process that the task has forked its call is the last.
            with not_inherited(self._end_work):
                yield

    async def serve(self, lane: Lane, _: Lane) -> None:
        """Be one slot: portion after portion, each until it is late."""
        slot = LaneSlot(self._setting, lane)
        here.set(slot)
        while await lane.more():
            failed = Noted(lane, self._end_work)
            self._work = work = Work(lane.piece, until=lane.until, failed=failed)
            with _outside_of_the_loop():
                self._blocking.do(work, slot)
            slot.busy = False
            work.report(lane)

    def _end_work(self) -> None:
        """Let the call that is being made be the last."""
        self._work.halted = True

    def cancel(self) -> None:
        """Nothing is being called while anybody could ask for this."""

    def expire(self, now: float) -> None:
        """Neither is it then."""


@contextmanager
def _outside_of_the_loop() -> Iterator[None]:
    """A plain function may run a loop of its own: nothing of this one goes on until it returns."""
    loop = asyncio.get_running_loop()
    _set_running_loop(None)
    try:
        yield
    finally:
        _set_running_loop(loop)
