"""The async engine: calls run on the driver's own event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

from ..errors import TimedOut
from ..slots import Desk, Feed
from ..tasks.context import running
from .base import Setting
from .batches import Batches
from .forked import leave_if_forked, not_inherited
from .left_behind import LeftBehind
from .loop_slot import LoopSlot
from .slot import fail, give_back, oldest, outputs, unreadable
from .work import Work

Call = Callable[[Any, Any], Awaitable[Any]]


class _Abandoned(BaseException):
    """Ends a slot whose call came back after another slot had taken its place."""


class LoopEngine:
    """`slots` long-lived coroutines that share the feed. A record costs no task and no timer.

    A call finds neither context variables nor a cancellation of the one before it: a slot whose
    call has left one behind in their task begins anew, in another task.
    """

    name = "async"

    def __init__(self, setting: Setting, slot: type[LoopSlot] = LoopSlot) -> None:
        """`slot` is the kind of slot that notes what is being called."""
        self.slots = self.calls = setting.slots
        self.together = setting.together
        self.abandoned = 0
        """Calls that did not end when they were given up, and may still be running."""
        self._setting = setting
        self._codec = setting.codec
        self._now = setting.now
        self._slot = slot
        self._slots: list[LoopSlot] = []
        self._cancelled = False
        self._closed = False
        self._context: Any = None
        self._left = LeftBehind(self.slots, setting.timeout_s)
        self._feed: Feed | None = None
        self._batches: Batches | None = None
        if setting.task.is_batch:
            self._batches = Batches(setting)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with running(self._setting.task, self.slots) as self._context:
            try:
                with not_inherited(partial(self._end_piece, asyncio.get_running_loop())):
                    yield
            finally:
                self._closed = True

    def _end_piece(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a process that the task has forked: let its call be the last, even if it waits."""
        if self._feed is not None:
            self._feed.until = -math.inf
        loop.call_soon(leave_if_forked, self._setting.home)

    async def serve(self, feed: Feed, desk: Desk) -> None:
        self._feed = feed
        while await self._serve_for_a_while(feed, desk):
            await self._left.room()

    async def _serve_for_a_while(self, feed: Feed, desk: Desk) -> bool:
        """Be a slot; True if another one has to take its place: its call did not end when it was
        given up, or left something behind."""
        slot = self._slot(self._setting, desk)
        self._slots.append(slot)
        work = self._work_in_batches if self._batches else self._work
        task = asyncio.create_task(work(slot, feed, desk, self._call_in(slot)))
        ends: set[asyncio.Future[Any]] = {task, slot.abandoned}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        self._slots.remove(slot)
        if slot.abandoned.done() and slot.busy:
            # Even if it has ended meanwhile: what became of it was not reported.
            self._abandon(slot, task, desk)
            return not self._cancelled
        await asyncio.wait({task})
        # Where a call has asked for a cancellation and not waited for it, it hits the slot.
        return not self._cancelled if task.cancelled() else task.result()

    def _abandon(self, slot: LoopSlot, task: asyncio.Task[bool], desk: Desk) -> None:
        """Report a call that does not end, and leave it to itself."""
        self.abandoned += 1
        self._left.add()
        task.add_done_callback(lambda _: self._left.ended())
        desk.latencies.append(self._now() - slot.started)
        if slot.given_up == "timeout":
            fail(desk, slot.records, self._timed_out(None))
        else:
            give_back(desk, slot.records)

    async def _work(self, slot: LoopSlot, feed: Feed, desk: Desk, call: Call) -> bool:
        clean = slot.enter()
        context, as_it_is = self._context, copy_context
        decode, now = self._codec.decode, self._now
        encode, add_filtered = outputs(self._setting, slot, desk)
        # `append` is looked up each time: the interpreter has a shortcut for just that.
        seqs, rows, latencies = desk.seqs, desk.rows, desk.latencies
        home = self._setting.home
        while not slot.tainted(clean) and await feed.more():
            started = now()
            slot.busy = True
            for seq, raw in feed.piece:
                slot.seq = seq
                slot.raw = raw
                slot.started = started
                try:
                    record = decode(raw)
                except Exception as error:
                    slot.busy = False
                    if unreadable(desk, self._codec, seq, raw, error):
                        break
                    slot.busy = True
                    continue
                try:
                    result = await call(record, context)
                    if result is None:
                        add_filtered(seq)
                    else:
                        rows.append(encode(result))
                        seqs.append(seq)
                except BaseException as error:
                    if not self._report(slot, desk, error):
                        return False
                    latencies.append(now() - started)
                    break
                ended = now()
                latencies.append(ended - started)
                try:
                    # Contexts that nobody has changed are one inside, and no value is compared.
                    tainted = as_it_is() != clean
                except Exception:
                    tainted = True
                if tainted or ended > feed.until:
                    break
                started = ended
            leave_if_forked(home)
            slot.busy = False
        return slot.tainted(clean)

    async def _work_in_batches(self, slot: LoopSlot, feed: Feed, desk: Desk, call: Call) -> bool:
        batches, context, now = self._batches, self._context, self._now
        clean = slot.enter()
        assert batches is not None
        while not slot.tainted(clean) and (taken := await feed.take(self.together)).seqs:
            work = Work(taken.pairs())
            batch = batches.read(work)
            if not batch:
                work.report(desk)
                continue
            slot.begin(work.called, now())
            try:
                batches.settle(work, await call(batches.pack(batch), context))
            except BaseException as error:
                if not self._report(slot, desk, error):
                    return False
            leave_if_forked(self._setting.home)
            slot.busy = False
            work.latencies.append(now() - slot.started)
            work.report(desk)
        return slot.tainted(clean)

    def _report(self, slot: LoopSlot, desk: Desk, error: BaseException) -> bool:
        """Report what the call raised; False if it is the slot itself that has to end."""
        leave_if_forked(self._setting.home, error)
        if slot.abandoned.done() or self._closed:
            return False
        # What the desk decides may be to give up every call, and this one has ended.
        slot.busy = False
        given_up = slot.given_up if slot.given_up_seq == slot.seq else None
        slot.given_up = None
        if given_up == "cancelled":
            give_back(desk, slot.records)
        elif given_up == "timeout":
            fail(desk, slot.records, self._timed_out(error))
        else:
            fail(desk, slot.records, error)
        return True

    def _timed_out(self, error: BaseException | None) -> BaseException:
        late = TimedOut(f"no answer within {self._setting.timeout_s:g} s")
        late.__cause__ = None if isinstance(error, asyncio.CancelledError) else error
        return late

    def expire(self, now: float) -> None:
        timeout_s = self._setting.timeout_s
        if timeout_s is None:
            return
        for slot in self._slots:
            if slot.busy and now - slot.started > timeout_s:
                slot.give_up("timeout", now)

    def drain(self) -> None:
        """Nothing is taken from the feed before it is started."""
        self._left.stop()

    def cancel(self) -> None:
        self._cancelled = True
        self._left.stop()
        for slot in self._slots:
            if slot.given_up == "timeout":
                slot.given_up = "cancelled"
            slot.give_up("cancelled", self._now())

    def oldest(self) -> tuple[int, float] | None:
        return oldest(list(self._slots))

    def _call_in(self, slot: LoopSlot) -> Call:
        call = _call_of(self._setting)
        return call if self._setting.timeout_s is None else _abandonable(call, slot)


def _abandonable(call: Call, slot: LoopSlot) -> Call:
    async def guarded(record: Any, context: Any) -> Any:
        try:
            result = await call(record, context)
        finally:
            if slot.abandoned.done():
                raise _Abandoned
        if slot.given_up:
            slot.forget_cancelling()
        return result

    return guarded


def _call_of(setting: Setting) -> Call:
    """The task's function as an async function of record and context."""
    call = setting.call
    if setting.task.is_async:
        return setting.task.process if setting.task.takes_context else call

    async def plain(record: Any, context: Any) -> Any:
        return call(record, context)

    return plain
