"""What is called next? Due retries first, then records of earlier runs, then the source."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from operator import length_hint
from typing import Any

from ..core.pacing import Pacer
from ..errors import BatchmillError
from ..protocols import Source, Store
from ..records import Block, Mark, Requeued
from .commit import Committer
from .desk import RunDesk
from .fresh import Fresh
from .stop import Stop
from .trials import Trial

PIECE_MOST = 1024
"""Most records in a piece."""
PIECE_S = 0.002
"""How long a piece lasts: so long no other coroutine gets a turn, and no retry starts. What is left
of it then is given out again."""
MAX_WAITING = 10_000
"""Most records in back-off; the source is not read further until they are fewer."""
MAX_AHEAD = 100_000
"""How far, in records, the reader may be ahead of the low-water mark."""
MAX_HELD = 10_000
"""Most outcomes that wait for their predecessors with order="input"."""


class RunFeed:
    """Gives out records in pieces that all slots share.

    Everything that is not done for every record is done between two pieces: settling, committing,
    pacing, back-pressure, stopping. A piece ends after PIECE_S, or with the first failure, so none
    of it waits long.
    """

    def __init__(
        self,
        source: Source | None,
        store: Store,
        desk: RunDesk,
        committer: Committer,
        pacer: Pacer,
        stop: Stop,
        *,
        start: Mark,
        slots: int,
        limit: int | None,
    ) -> None:
        self.piece: Iterator[tuple[int, Any]] = iter(())
        self.paced = pacer.limited
        self.idle = 0
        self.read_to = start
        self.exhausted = source is None
        self._items: Iterator[Any] = iter(())
        self._given: list[Any] = []
        self._left_over: list[tuple[int, Any]] = []
        """Records of earlier pieces that nobody started while the piece was current."""
        self.until = 0.0
        self._desk = desk
        self._committer = committer
        self._pacer = pacer
        self._stop = stop
        self._slots = slots
        self._limit = limit
        self._taken = 0
        self._store = store
        self._source = source
        self._behind = self._reached = source.fraction(start) if source else None
        self._fresh = Fresh(source.blocks(start) if source else iter(()), store)
        self._requeued: Iterator[Requeued] = store.requeued()
        self._earlier = next(self._requeued, None)
        """The next record of an earlier run that is to be called again."""
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

    def _current(self) -> bool:
        """Whether the piece has records, and nothing has happened that goes before them."""
        return (
            length_hint(self._items) > 0
            and self._failures == self._desk.failures
            and self._now() < self.until
        )

    @property
    def limited(self) -> bool:
        """Whether the run's limit is reached while there may be more."""
        return self._room_to_limit == 0

    @property
    def _room_to_limit(self) -> int | None:
        """How many records may still be called; blank lines are none. None is no limit."""
        if self._limit is None:
            return None
        return max(0, self._limit - self._taken + self._desk.counts.blank)

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
        if not self._bring_piece(now):
            await self._wait(now)

    async def _give_turn(self) -> None:
        """Give every other coroutine a turn, if the last one was PIECE_S ago."""
        if self._now() - self._turn_at >= PIECE_S:
            await asyncio.sleep(0)
            self._turn_at = self._now()

    def _take_back(self) -> None:
        """Take back what nobody has started, and size the next piece by how this one went."""
        left = list(self.piece)
        if left:
            self._pacer.refund(len(left))
            self._left_over = left + self._left_over
            self._size = max(1, self._size // 2)
        elif self._now() - self._given_at < PIECE_S / 2:
            self._size = min(PIECE_MOST, self._size * 2)

    def _bring_piece(self, now: float) -> bool:
        most = self.idle if self.paced else self._size
        if self._bring_retries(now, most):
            return True
        if len(self._desk.trials) >= MAX_WAITING:
            return False
        if self._left_over:
            return self._bring_left_over(now, most)
        return self._bring_earlier(now, most) or self._bring_fresh(now, most)

    def _bring_left_over(self, now: float, most: int) -> bool:
        granted = self._pacer.take(min(most, len(self._left_over)), now)
        records = self._left_over[:granted]
        del self._left_over[:granted]
        return self._give(records)

    def _bring_retries(self, now: float, most: int) -> bool:
        if not self._desk.trials.count_due(now):
            return False
        granted = self._pacer.take(most, now)
        records = self._desk.trials.due(now, granted)
        self._pacer.refund(granted - len(records))
        return self._give(records)

    def _bring_earlier(self, now: float, most: int) -> bool:
        """Records that earlier runs left to be called again."""
        records: list[tuple[int, Any]] = []
        while len(records) < most and self._earlier is not None and self._ration(1, now):
            again = self._earlier
            self._earlier = next(self._requeued, None)
            trial = Trial(was=again.was, made=again.attempts, first_at=again.first_at)
            self._desk.trials.of[again.seq] = trial
            records.append((again.seq, again.raw))
        return self._give(records)

    def _bring_fresh(self, now: float, most: int) -> bool:
        if self.exhausted or self.limited:
            return False
        if not self._has_room():
            self._committer.offer(self._desk.draft, at_once=True)
            return False
        while not self._fresh.ready:
            self._read_on()
            if self.exhausted or self._stop.asked:
                return False
        granted = self._ration(min(most, self._fresh.ready), now)
        if not granted:
            return False
        seq, lines = self._fresh.take(granted)
        return self._give(lines, seq)

    def _ration(self, most: int, now: float) -> int:
        """How many starts the limit and the pace allow; they count as made."""
        room = self._room_to_limit
        granted = self._pacer.take(most if room is None else min(most, room), now)
        self._taken += granted
        return granted

    def _has_room(self) -> bool:
        ahead = self._fresh.next_seq - self._store.progress.low_water
        return ahead < MAX_AHEAD and self._desk.draft.held < MAX_HELD

    def _read_on(self) -> None:
        try:
            block = self._fresh.read()
        except BatchmillError as error:
            self._stop.drain("the source cannot be read further", error=error)
            return
        if block is None:
            self.exhausted = True
            return
        self.read_to = block.end
        self._desk.draft.commit.marks.append(block.end)
        self._measure(block)

    def _measure(self, block: Block) -> None:
        """Note which share of the source this block makes up."""
        assert self._source
        self._behind, self._reached = self._reached, self._source.fraction(block.end)

    @property
    def fraction(self) -> float | None:
        """Share of the source that has been given out, from 0 to 1; None if that is not known.

        Within a block every record counts the same.
        """
        if self._behind is None or self._reached is None:
            return self._reached
        return self._behind + (self._reached - self._behind) * self._fresh.given

    def _give(self, records: list[Any], seq: int | None = None) -> bool:
        """Make `records` the piece: pairs, or raw records numbered from `seq`."""
        items = iter(records)
        self._given, self._items = records, items
        self._failures = self._desk.failures
        self._given_at = self._now()
        self.until = self._given_at + PIECE_S
        self.piece = items if seq is None else enumerate(items, seq)
        return bool(records)

    async def _wait(self, now: float) -> None:
        """Sleep until a retry is due, the pace allows a start, or something has changed."""
        waits = self._waits(now)
        if not waits and self.idle == self._slots and self._nothing_left():
            self._ended = True
            return
        timer = None
        if waits:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(max(0.0, min(waits)), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer:
                timer.cancel()

    def _waits(self, now: float) -> list[float]:
        """Seconds until the next thing that this feed itself waits for."""
        pace_s = self._pacer.wait_s(now)
        due_at = self._desk.trials.next_at
        waits = [] if due_at is None else [max(due_at - now, pace_s)]
        if self._has_more() and pace_s > 0:
            waits.append(pace_s)
        return waits

    def _has_more(self) -> bool:
        more = not self.exhausted or self._earlier is not None
        return bool(self._left_over) or (more and not self.limited)

    def _nothing_left(self) -> bool:
        while self.limited and not (self.exhausted or self._fresh.ready or self._stop.asked):
            self._read_on()
        return not self._has_more() and not len(self._desk.trials)

    def wake(self) -> None:
        """Something has changed that a waiting slot may be waiting for."""
        self._wake.set()

    def _on_stop(self) -> None:
        """Take back what has been given out and not been started."""
        self._given.clear()
        self._wake.set()
