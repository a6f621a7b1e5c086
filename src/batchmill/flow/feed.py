"""When is the next piece of records given out, and to whom?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from operator import length_hint
from typing import Any

from ..core.batching import Limits, Reason, why_now
from ..records import Taken
from .commit import Committer
from .desk import RunDesk
from .pending import Given, Pending
from .stop import Stop

PIECE_MOST = 1024
"""Most records in a piece."""
PIECE_S = 0.002
"""How long a piece lasts: so long no other coroutine gets a turn, and no retry starts. What is left
of it then is given out again."""
TAKE_BYTES = 1 << 20
"""How much of the source a slot takes at once, about, when it takes records of several calls."""


class RunFeed:
    """Gives out records in pieces that all slots share.

    Everything that is not done for every record is done between two pieces: settling, committing,
    pacing, back-pressure, stopping. A piece ends after PIECE_S, or with the first failure, so none
    of it waits long. With `together` above 1 a piece is what one call gets.

    What it waits for can always happen without it: a call ends, a retry or a start is due, a commit
    is through, the source has more. Nothing is under way when there is none of these, so what only
    further records would bring, the verdict on the dead letters that the guard holds back, is not
    waited for: they are let go.
    """

    def __init__(
        self,
        pending: Pending,
        desk: RunDesk,
        committer: Committer,
        stop: Stop,
        *,
        slots: int,
        paced: bool,
        together: int,
    ) -> None:
        self.piece: Iterator[tuple[int, Any]] = iter(())
        self._paced = paced
        self._capacity = desk.capacity
        self.idle = 0
        self.until = 0.0
        self.pending = pending
        self._items: Iterator[Any] = iter(())
        self._given = Given([])
        self._desk = desk
        self._committer = committer
        self._stop = stop
        self._slots = slots
        self._together = together
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._ended = False
        self._size = 1
        self._now = desk.clock.now
        self._given_at = self._turn_at = self._now()
        self._failures = 0
        stop.listeners.append(self._on_stop)

    async def more(self) -> bool:
        if self._current() and not self._ended:
            return True
        self.idle += 1
        self._wake.set()
        try:
            async with self._turn:
                while not self._ended and not self._current():
                    await self._advance()
                return not self._ended
        finally:
            if not self._ended:
                self.idle -= 1

    async def take(self, most: int) -> Taken:
        taken = Taken([], [])
        if not await self.more():
            return taken
        limits = Limits(max_batch_size=most)
        began = self.pending.read_to.offset
        self._move(taken, most)
        while True:
            hurry: Reason | None = None if self._can_grow(began) else "idle"
            if why_now(limits, len(taken.seqs), 0.0, due=False, hurry=hurry):
                return taken
            self._give(self.pending.fresh(min(PIECE_MOST, most - len(taken.seqs))))
            self._move(taken, most)

    def _move(self, taken: Taken, most: int) -> None:
        """Move records from the piece to what a slot has taken, until that has `most`."""
        count = most - len(taken.seqs)
        first = self._given.seq
        if first is None:
            for seq, raw in islice(self.piece, count):
                taken.seqs.append(seq)
                taken.raws.append(raw)
            return
        # Like a walk through `piece`, without a pair for every record.
        seq = first + len(self._given.records) - length_hint(self._items)
        raws = list(islice(self._items, count))
        taken.seqs.extend(range(seq, seq + len(raws)))
        taken.raws.extend(raws)
        self.piece = enumerate(self._items, seq + len(raws))

    def _can_grow(self, began: int) -> bool:
        """Whether more of the source may be added to the piece that has just been given out.

        `began` is how far the source had been read by then.
        """
        if self._given.seq is None or self._stop.asked:
            return False
        if self._together > 1:
            return True
        return not self.paced and self.pending.read_to.offset - began < TAKE_BYTES

    def _current(self) -> bool:
        """Whether the piece has records, and nothing has happened that goes before them."""
        return (
            length_hint(self._items) > 0
            and self._failures == self._desk.failures
            and self._now() < self.until
        )

    @property
    def paced(self) -> bool:
        return self._paced or self._capacity.limited

    @property
    def in_flight(self) -> int:
        return self._slots - self.idle

    async def _advance(self) -> None:
        """Bring the next piece, or wait for what it needs, or find that there is none."""
        self._take_back()
        self._desk.settle()
        await self._committer.make_room(self._desk.draft)
        await self._give_turn()
        self._wake.clear()
        if self._stop.asked:
            self._ended = True
            return
        now = self._now()
        room = self._capacity.room(self.in_flight)
        if not self._give(self.pending.next(self._most(room), now)):
            await self._wait(now, room)
        elif self._capacity.limited:
            self._capacity.began(self._given.seqs())

    def _most(self, room: int) -> int:
        """How many records the next piece may have, where there is room for so many calls."""
        if self._together > 1:
            return self._together if room else 0
        return min(self.idle, room) if self.paced else self._size

    async def _give_turn(self) -> None:
        """Give every other coroutine a turn, if the last one was PIECE_S ago."""
        if self._now() - self._turn_at >= PIECE_S:
            await asyncio.sleep(0)
            self._turn_at = self._now()

    def _take_back(self) -> None:
        """Take back what nobody has started, and size the next piece by how this one went."""
        left = list(self.piece)
        if left:
            self.pending.put_back(left)
            self._size = max(1, self._size // 2)
        elif self._now() - self._given_at < PIECE_S / 2:
            self._size = min(PIECE_MOST, self._size * 2)

    def _give(self, given: Given | None) -> bool:
        """Make these records the piece."""
        self._given = given or Given([])
        records, seq = self._given
        self._items = items = iter(records)
        self._failures = self._desk.failures
        self._given_at = self._now()
        self.until = self._given_at + PIECE_S
        self.piece = items if seq is None else enumerate(items, seq)
        return bool(records)

    async def _wait(self, now: float, room: int) -> None:
        """Sleep until a retry is due, the pace allows a start, the source has more, or something
        has changed: where there is no room, a call has to end. With nothing under way, end, or have
        what is held back let go."""
        waits = self.pending.waits_s(now) if room else []
        if not waits and self.idle == self._slots:
            if self.pending.ended(now):
                self._ended = True
                return
            if self.pending.needs_letters(now) and self._desk.letters.let_go():
                return
        look_s = self.pending.look_s()
        if look_s is not None:
            waits.append(look_s)
        timer = None
        if waits:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(max(0.0, min(waits)), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer:
                timer.cancel()

    def wake(self) -> None:
        """Something has changed that a waiting slot may be waiting for."""
        self._wake.set()

    def _on_stop(self) -> None:
        """Take back what has been given out and not been started."""
        self._given.records.clear()
        self._wake.set()
