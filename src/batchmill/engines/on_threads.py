"""The thread engine: blocking functions, each call in a thread of its slot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from queue import SimpleQueue
from typing import Any

from ..calling import here
from ..errors import TimedOut
from ..protocols import Codec, Desk, Feed
from ..tasks.context import running
from ..tasks.task import Task
from .slot import Slot, oldest, unreadable

HANDOVER_S = 0.01
"""About how long a thread should work on what it is handed: handing over takes some 0.05 ms."""
MOST_HANDED = 1024
"""Most records that a thread is handed at once."""


@dataclass(slots=True)
class Handed:
    """Records handed to a thread, and what it has made of them so far.

    The thread only appends; the driver reads when the thread is done, or when it has given it up.
    """

    records: list[tuple[int, Any]]
    done: asyncio.Future[None]
    seqs: list[int] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    unread: list[tuple[int, Any, Exception]] = field(default_factory=list)
    failed: list[tuple[int, Any, BaseException]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    begun: int = 0
    """How many of the records the thread has begun with."""
    given_up: str | None = None
    drained: bool = False
    """Whether the thread is to begin with no other record."""


class ThreadSlot(Slot):
    """A slot and its thread. A thread that hangs is left behind, and the slot gets another one."""

    __slots__ = ("handed", "inbox", "size")

    def __init__(self, job: str, codec: Codec, desk: Desk) -> None:
        super().__init__(job, codec, desk)
        self.inbox: SimpleQueue[Handed | None] = SimpleQueue()
        self.handed: Handed | None = None
        self.size = 1


class ThreadEngine:
    """`slots` threads. Records are handed over one by one, or more at a time where they are quick.

    A thread cannot be killed: a call that passes the time limit goes on in the background, its
    result is thrown away, and a new thread takes its place.
    """

    name = "thread"

    def __init__(
        self,
        task: Task,
        codec: Codec,
        *,
        job: str,
        slots: int,
        timeout_s: float | None,
        now: Callable[[], float],
    ) -> None:
        self.slots = slots
        self.together = 1
        self.abandoned = 0
        """Calls that did not end when they were given up, and may still be running."""
        self._task = task
        self._codec = codec
        self._job = job
        self._timeout_s = timeout_s
        self._now = now
        self._slots: list[ThreadSlot] = []
        self._cancelled = False
        self._context: Any = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with running(self._task, self.slots) as self._context:
            yield

    async def serve(self, feed: Feed, desk: Desk) -> None:
        slot = self._new_slot(desk)
        try:
            while not self._cancelled and await feed.more():
                most = 1 if feed.paced else slot.size
                handed = Handed(list(islice(feed.piece, most)), _future())
                began = self._now()
                await self._hand_over(slot, handed, desk)
                if handed.given_up:
                    slot.inbox.put(None)
                    self._slots.remove(slot)
                    slot = self._new_slot(desk)
                slot.size = _next_size(slot.size, self._now() - began)
        finally:
            slot.inbox.put(None)
            self._slots.remove(slot)

    def _new_slot(self, desk: Desk) -> ThreadSlot:
        slot = ThreadSlot(self._job, self._codec, desk)
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
            self._report(handed, desk)

    def _report(self, handed: Handed, desk: Desk) -> None:
        """Report what the thread has made of its records. If it was given up it may still append:
        what is not there now counts as not done."""
        done = len(handed.seqs)
        seqs, filtered = handed.seqs[:done], list(handed.filtered)
        unread, failed = list(handed.unread), list(handed.failed)
        if handed.given_up or handed.drained:
            known = {*seqs, *filtered, *(seq for seq, *_ in (*unread, *failed))}
            self._report_rest(handed, known, desk)
        desk.seqs.extend(seqs)
        desk.rows.extend(handed.rows[:done])
        desk.filtered.extend(filtered)
        desk.latencies.extend(handed.latencies[:])
        for seq, raw, error in unread:
            unreadable(desk, self._codec, seq, raw, error)
        for seq, raw, raised in failed:
            desk.failed(seq, raw, raised)

    def _report_rest(self, handed: Handed, known: set[int], desk: Desk) -> None:
        """Report the record that was being called when the thread was given up, and the others."""
        self.abandoned += handed.given_up is not None
        for n, (seq, raw) in enumerate(handed.records):
            if seq in known:
                continue
            if handed.given_up == "timeout" and n == handed.begun - 1:
                desk.failed(seq, raw, TimedOut(f"no answer within {self._timeout_s:g} s"))
            else:
                desk.returned(seq, raw)

    # In the thread.

    def _work(self, slot: ThreadSlot, loop: asyncio.AbstractEventLoop) -> None:
        here.set(slot)
        while (handed := slot.inbox.get()) is not None:
            self._call_all(slot, handed)
            if handed.given_up:
                return
            loop.call_soon_threadsafe(_set_done, handed.done)

    def _call_all(self, slot: ThreadSlot, handed: Handed) -> None:
        decode, encode, now = self._codec.decode, self._codec.encode, self._now
        call, context = _call_of(self._task), self._context
        for seq, raw in handed.records:
            if handed.drained:
                return
            handed.begun += 1
            slot.seq, slot.raw = seq, raw
            slot.started = started = now()
            try:
                record = decode(raw)
            except Exception as error:
                handed.unread.append((seq, raw, error))
                continue
            try:
                result = call(record, context)
                row = None if result is None else encode(result)
            except BaseException as error:
                if handed.given_up:
                    return
                handed.failed.append((seq, raw, error))
            else:
                if handed.given_up:
                    return
                if result is None:
                    handed.filtered.append(seq)
                else:
                    handed.rows.append(row)
                    handed.seqs.append(seq)
            handed.latencies.append(now() - started)

    # Giving up.

    def expire(self, now: float) -> None:
        if self._timeout_s is None:
            return
        for slot in self._slots:
            if slot.busy and now - slot.started > self._timeout_s:
                _give_up(slot, "timeout")

    def drain(self) -> None:
        for slot in self._slots:
            if slot.handed is not None:
                slot.handed.drained = True

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


def _call_of(task: Task) -> Callable[[Any, Any], Any]:
    function = task.process
    return function if task.takes_context else lambda record, _: function(record)
