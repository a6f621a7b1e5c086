"""The thread engine: blocking functions, each call in a thread of its slot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from queue import SimpleQueue

from ..calling import here
from ..errors import TimedOut
from ..protocols import Desk, Feed
from ..tasks.context import running
from .base import Setting
from .blocking import Blocking
from .forked import not_inherited
from .slot import Slot, fail, oldest
from .work import Record, Work

HANDOVER_S = 0.01
"""About how long a thread should work on what it is handed: handing over takes some 0.05 ms."""
MOST_HANDED = 1024
"""Most records that a thread is handed at once."""


@dataclass(slots=True, kw_only=True)
class Handed(Work):
    """Work for a thread. If it was given up the thread may still append."""

    done: asyncio.Future[None]
    given_up: str | None = None


class ThreadSlot(Slot):
    """A slot and its thread. A thread that hangs is left behind, and the slot gets another one."""

    __slots__ = ("handed", "inbox", "size")

    def __init__(self, setting: Setting, desk: Desk, size: int) -> None:
        super().__init__(setting.job, setting.codec, desk.attempt)
        self.inbox: SimpleQueue[Handed | None] = SimpleQueue()
        self.handed: Handed | None = None
        self.size = size


class ThreadEngine:
    """`slots` threads. Records are handed over one by one, or more at a time where they are quick.

    A thread cannot be killed: a call that passes the time limit goes on in the background, its
    result is thrown away, and a new thread takes its place.
    """

    name = "thread"

    def __init__(self, setting: Setting) -> None:
        self.slots = self.calls = setting.slots
        self.together = setting.together
        self.abandoned = 0
        """Calls that did not end when they were given up, and may still be running."""
        self._setting = setting
        self._now = setting.now
        self._slots: list[ThreadSlot] = []
        self._cancelled = False
        self._blocking = Blocking(setting)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with running(self._setting.task, self.slots) as self._blocking.context:
            # In a process that the task has forked its call is the last.
            with not_inherited(self.drain):
                yield

    async def serve(self, feed: Feed, desk: Desk) -> None:
        slot = self._new_slot(desk, self.together)
        try:
            while not self._cancelled:
                taken = await feed.take(1 if feed.paced and self.together == 1 else slot.size)
                if not taken.seqs:
                    break
                handed = Handed(taken.pairs(), done=_future())
                began = self._now()
                await self._hand_over(slot, handed, desk)
                if handed.given_up:
                    slot.inbox.put(None)
                    self._slots.remove(slot)
                    slot = self._new_slot(desk, slot.size)
                if self.together == 1:
                    slot.size = _next_size(slot.size, self._now() - began)
        finally:
            slot.inbox.put(None)
            self._slots.remove(slot)

    def _new_slot(self, desk: Desk, size: int) -> ThreadSlot:
        slot = ThreadSlot(self._setting, desk, size)
        self._slots.append(slot)
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._work, args=(slot, loop), name="batchmill-slot", daemon=True
        ).start()
        return slot

    async def _hand_over(self, slot: ThreadSlot, handed: Handed, desk: Desk) -> None:
        slot.handed = handed
        slot.started = self._now()
        slot.busy = True
        slot.inbox.put(handed)
        try:
            await handed.done
        except asyncio.CancelledError:
            handed.given_up = "cancelled"
            raise
        finally:
            slot.busy = False
            slot.handed = None
            self._report(slot, handed, desk)

    def _report(self, slot: ThreadSlot, handed: Handed, desk: Desk) -> None:
        """Report what the thread has made of its records. What is not there now counts as not
        done."""
        work = handed.so_far()
        if handed.given_up or handed.halted:
            known = work.known()
            rest = [each for each in handed.records if each[0] not in known]
            self._report_rest(slot, handed, rest, desk)
        work.report(desk)

    def _report_rest(
        self, slot: ThreadSlot, handed: Handed, rest: list[Record], desk: Desk
    ) -> None:
        """Report the call that was being made when the thread was given up, and what it had not
        begun with."""
        self.abandoned += handed.given_up is not None
        late = {seq for seq, _ in slot.records} if handed.given_up == "timeout" else set()
        given_up = [each for each in rest if each[0] in late]
        if given_up:
            fail(desk, given_up, TimedOut(f"no answer within {self._setting.timeout_s:g} s"))
        for seq, raw in rest:
            if seq not in late:
                desk.returned(seq, raw)

    def _work(self, slot: ThreadSlot, loop: asyncio.AbstractEventLoop) -> None:
        """What a thread does."""
        here.set(slot)
        while (handed := slot.inbox.get()) is not None:
            if not handed.halted:
                self._blocking.do(handed, slot)
            if handed.given_up:
                return
            loop.call_soon_threadsafe(_set_done, handed.done)

    def expire(self, now: float) -> None:
        if self._setting.timeout_s is None:
            return
        for slot in self._slots:
            if slot.busy and now - slot.started > self._setting.timeout_s:
                _give_up(slot, "timeout")

    def drain(self) -> None:
        for slot in self._slots:
            if slot.handed is not None:
                slot.handed.halted = True

    def cancel(self) -> None:
        self._cancelled = True
        for slot in self._slots:
            _give_up(slot, "cancelled")

    def oldest(self) -> tuple[int, float] | None:
        return oldest(list(self._slots))


def _give_up(slot: ThreadSlot, why: str) -> None:
    handed = slot.handed
    if slot.busy and handed is not None and handed.given_up is None:
        handed.given_up = why
        handed.halted = True
        _set_done(handed.done)


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def _set_done(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _next_size(size: int, lasted_s: float) -> int:
    if lasted_s < HANDOVER_S / 2:
        return min(MOST_HANDED, size * 2)
    return max(1, size // 2) if lasted_s > HANDOVER_S * 2 else size
