"""The thread engine: blocking functions, each call in a thread of its slot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from ..calling import here
from ..core.failures import failure_of
from ..core.kinds import asks_for_pause
from ..errors import TimedOut
from ..slots import Desk, Feed
from ..tasks.context import running
from .base import Setting
from .blocking import Blocking
from .forked import not_inherited
from .left_behind import LeftBehind
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
    halt_all: Callable[[], None]
    """Lets no thread begin with another call of what it was handed."""
    given_up: str | None = None
    late: frozenset[int] = frozenset()
    """Seqs of the records whose call has passed the time limit."""

    def fail(self, seq: int, raw: Any, error: BaseException, *, called: bool = True) -> None:
        Work.fail(self, seq, raw, error, called=called)
        if asks_for_pause(failure_of(error, datetime.now(UTC))):
            self.halt_all()


class ThreadSlot(Slot):
    """A slot and its thread. A thread that hangs is left behind, and the slot gets another one."""

    __slots__ = ("gone", "handed", "inbox", "left_behind", "size")

    def __init__(self, setting: Setting, desk: Desk, size: int) -> None:
        super().__init__(setting.job, setting.codec, desk.attempt)
        self.inbox: SimpleQueue[Handed | None] = SimpleQueue()
        self.handed: Handed | None = None
        self.size = size
        self.left_behind = False
        self.gone = False
        """Whether its thread has ended."""


class ThreadEngine:
    """`slots` threads. Records are handed over one by one, or more at a time where they are quick.

    A thread cannot be killed: a call that passes the time limit goes on in the background, its
    result is thrown away, and a new thread takes its place, as long as `LeftBehind` has room. A
    call sees the context variables of whoever runs the job.
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
        self._left = LeftBehind(self.slots, setting.timeout_s)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with running(self._setting.task, self.slots) as self._blocking.context:
            # In a process that the task has forked its call is the last.
            with not_inherited(self.drain):
                yield

    async def serve(self, feed: Feed, desk: Desk) -> None:
        size = self.together
        while size := await self._serve_with_a_thread(feed, desk, size):
            await self._left.room()

    async def _serve_with_a_thread(self, feed: Feed, desk: Desk, size: int) -> int:
        """Be a slot. If its thread had to be left behind, how much the next one is to be handed at
        once; else 0."""
        slot = self._new_slot(desk, size)
        try:
            while not self._cancelled:
                taken = await feed.take(1 if feed.paced and self.together == 1 else slot.size)
                if not taken.seqs:
                    break
                handed = Handed(taken.pairs(), done=_future(), halt_all=self._halt_all)
                began = self._now()
                await self._hand_over(slot, handed, desk)
                if self.together == 1:
                    slot.size = _next_size(slot.size, self._now() - began)
                    if handed.halted:
                        slot.size = max(1, len(handed.latencies))
                if handed.given_up:
                    self._leave_behind(slot)
                    return slot.size
            return 0
        finally:
            slot.inbox.put(None)
            self._slots.remove(slot)

    def _leave_behind(self, slot: ThreadSlot) -> None:
        if not slot.gone:
            slot.left_behind = True
            self._left.add()

    def _thread_ended(self, slot: ThreadSlot) -> None:
        slot.gone = True
        if slot.left_behind:
            self._left.ended()

    def _new_slot(self, desk: Desk, size: int) -> ThreadSlot:
        slot = ThreadSlot(self._setting, desk, size)
        self._slots.append(slot)
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=copy_context().run, args=(self._work, slot, loop), name="batchmill-slot",
            daemon=True,
        ).start()  # fmt: skip
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
            self._report_rest(handed, rest, desk)
            if handed.given_up:
                self.abandoned += 1
                calls = self._calls_of(work, slot, rest)
                work.latencies[:] = [*work.latencies, self._now() - slot.started][:calls]
        work.report(desk)

    def _calls_of(self, work: Work, slot: ThreadSlot, rest: list[Record]) -> int:
        """How many calls were begun until the thread was given up, that one included."""
        if self.together > 1:
            return 1 if work.called else 0
        failed = sum(each.called for each in work.failed)
        done = len(work.seqs) + len(work.filtered) + failed
        under_way = any(seq == slot.seq for seq, _ in rest)
        return done + under_way

    def _report_rest(self, handed: Handed, rest: list[Record], desk: Desk) -> None:
        """Report the call that has passed the time limit, and what has no outcome besides."""
        late = [each for each in rest if each[0] in handed.late]
        if late:
            fail(desk, late, TimedOut(f"no answer within {self._setting.timeout_s:g} s"))
        for seq, raw in rest:
            if seq not in handed.late:
                desk.returned(seq, raw)

    def _work(self, slot: ThreadSlot, loop: asyncio.AbstractEventLoop) -> None:
        """What a thread does."""
        here.set(slot)
        while (handed := slot.inbox.get()) is not None:
            if not handed.halted:
                self._blocking.do(handed, slot)
            if handed.given_up:
                break
            loop.call_soon_threadsafe(_set_done, handed.done)
        with suppress(RuntimeError):
            # After the end of the run there is no loop that could be told.
            loop.call_soon_threadsafe(self._thread_ended, slot)

    def expire(self, now: float) -> None:
        if self._setting.timeout_s is None:
            return
        for slot in self._slots:
            # Looked at before its start: a thread that goes on meanwhile is not late.
            called = slot.records
            if slot.busy and now - slot.started > self._setting.timeout_s:
                _give_up(slot, "timeout", frozenset(seq for seq, _ in called))

    def drain(self) -> None:
        self._left.stop()
        self._halt_all()

    def _halt_all(self) -> None:
        for slot in tuple(self._slots):
            handed = slot.handed
            if handed is not None:
                handed.halted = True

    def cancel(self) -> None:
        self._cancelled = True
        self._left.stop()
        for slot in self._slots:
            _give_up(slot, "cancelled", frozenset())

    def oldest(self) -> tuple[int, float] | None:
        return oldest(list(self._slots))


def _give_up(slot: ThreadSlot, why: str, late: frozenset[int]) -> None:
    handed = slot.handed
    if slot.busy and handed is not None and handed.given_up is None:
        handed.given_up, handed.late = why, late
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
