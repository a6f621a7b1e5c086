"""The process engine: every core busy, and no record can take the run down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

from ..core.pacing import Pacer
from ..records import Taken
from ..slots import Desk, Feed
from .answers import Losses, report_done
from .base import Setting
from .board import Board
from .crew import Lane, Worker
from .forked import not_inherited
from .orders import Crew
from .process import Lost
from .sender import Sender
from .slot import give_back
from .spawn import starting
from .wire import Done, Portion
from .work import Record

PORTION_S = 0.05
"""About how long a worker should work on a portion: handing one over takes some 0.3 ms."""
MOST_RECORDS = 1 << 14
"""Most records in a portion."""
GROWTH = 4
"""How much larger the next portion may be."""
STUBBORN_S = 1.0
"""How long past its time limit a coroutine may go on before its process is killed."""


class ProcessEngine:
    """Worker processes that call portions of records, sized to PORTION_S of work.

    A worker that dies or hangs is replaced. The call that it was making is told from shared
    memory, and everything else that it held is called again at no charge.
    """

    name = "process"

    def __init__(self, setting: Setting, crew: Crew, *, items_in: bool) -> None:
        """`items_in`: records are no bytes, and travel as pickles."""
        self.slots = crew.workers * crew.lanes
        self.calls = self.slots if setting.task.is_async else crew.workers
        self.together = setting.together
        self._setting = setting
        self._crew = crew
        self._sender = Sender(setting.codec, items_in=items_in)
        self._board: Board
        self._workers: list[Worker] = []
        self._lanes: deque[Lane] = deque()
        self._busy: list[Lane] = []
        self._losses = Losses(setting)
        self._first = asyncio.Lock()
        """Held by one portion after the other while the columns of the output are not known."""
        self._started = False
        self._cancelled = False
        self._drained = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        with self._open_board() as board, not_inherited(self._forget):
            self._board = board
            self._workers = [Worker(self._crew, board) for _ in range(self._crew.workers)]
            try:
                async with self._staffed():
                    yield
            finally:
                self._workers.clear()

    @contextmanager
    def _open_board(self) -> Iterator[Board]:
        """The board, which goes with the run."""
        orders = self._crew.orders
        with starting():
            board = Board.create(Pacer(orders.rate, orders.burst))
        with closing(board):
            yield board

    def _forget(self) -> None:
        """In a process that was forked from this one: let go of the workers."""
        for worker in self._workers:
            if worker.process is not None:
                worker.process.forget()

    @asynccontextmanager
    async def _staffed(self) -> AsyncIterator[None]:
        """Every worker is ready in this block, and all are told to end behind it."""
        try:
            await _all(worker.ready() for worker in self._workers)
            self._lanes.extend(Lane(worker, number) for number in range(self._crew.lanes)
                               for worker in self._workers)  # fmt: skip
            self._started = True
            yield
        finally:
            await _all_to_the_end(worker.close() for worker in self._workers)

    async def serve(self, feed: Feed, desk: Desk) -> None:
        lane = self._lanes.popleft()
        while not self._cancelled:
            taken = await feed.take(self._most(feed, lane))
            if not taken.seqs:
                break
            await self._call(lane, taken, desk)

    def _most(self, feed: Feed, lane: Lane) -> int:
        if self.together > 1:
            return self.together
        return 1 if feed.paced else lane.size

    async def _call(self, lane: Lane, taken: Taken, desk: Desk) -> None:
        suspects = set(filter(desk.alone, taken.seqs)) if self._losses.deaths else None
        if not suspects:
            async with lane.worker.gate.together():
                await self._round(lane, taken, desk)
            return
        pairs = taken.pairs()
        alone = [each for each in pairs if each[0] in suspects]
        for call in [alone] if self.together > 1 else [[each] for each in alone]:
            async with lane.worker.gate.alone():
                await self._round(lane, _taken(call), desk)
        give_back(desk, [each for each in pairs if each[0] not in suspects])

    async def _round(self, lane: Lane, taken: Taken, desk: Desk) -> None:
        """Have a worker call these records, and report what has become of them."""
        columns = self._setting.codec.columns
        if columns is None or columns.names is not None:
            await self._hand_over(lane, taken, desk)
            return
        async with self._first:
            await self._hand_over(lane, taken, desk)

    async def _hand_over(self, lane: Lane, taken: Taken, desk: Desk) -> None:
        taken, packed = self._sender.pack(taken, desk)
        if not taken.seqs or self._cancelled or self._drained:
            give_back(desk, taken.pairs())
            return
        try:
            process = await lane.worker.ready()
        except BaseException:
            give_back(desk, taken.pairs())
            raise
        if not self._drained:
            self._board.hold(desk.paused_until)
        columns = self._setting.codec.columns
        lane.answer = process.call(Portion(
            lane.number, taken.seqs, packed, desk.attempts(taken.seqs),
            columns.names if columns else None,
        ))  # fmt: skip
        lane.handed_at = self._setting.now()
        self._busy.append(lane)
        try:
            answer = await lane.answer
        finally:
            self._busy.remove(lane)
        if isinstance(answer, Done):
            self._report(lane, answer, taken, desk)
        else:
            self._report_loss(lane, answer, taken.pairs(), desk)

    def _report_loss(self, lane: Lane, lost: Lost, records: list[Record], desk: Desk) -> None:
        """Report a portion whose worker has died, or that was given up."""
        if self._cancelled:
            self._losses.report_latencies(lane, lost, records, desk)
            give_back(desk, records)
        else:
            self._losses.report(lane, lost, records, desk)

    def _report(self, lane: Lane, done: Done, taken: Taken, desk: Desk) -> None:
        """Report what has become of a portion."""
        self._losses.answered(taken.seqs)
        columns = self._setting.codec.columns
        if columns is not None and columns.names is None:
            columns.names = done.columns
        report_done(done, taken, desk)
        if (done.failed or done.whole) and not self._drained:
            self._board.answer(desk.paused_until)
        if self.together == 1:
            lane.size = _next_size(lane.size, len(taken.seqs) - len(done.given_back), done.lasted_s)

    def expire(self, now: float) -> None:
        limit_s = self._setting.timeout_s
        if limit_s is not None and self._setting.task.is_async:
            limit_s += STUBBORN_S
        for worker in self._workers:
            process = worker.process
            if process is None:
                continue
            process.look()
            for lane in range(self._crew.lanes if limit_s is not None else 0):
                call = process.calling(lane)
                if call is not None and limit_s is not None and now - call[1] > limit_s:
                    worker.late.add(lane)
            if worker.late and process.alive:
                process.kill()
            elif limit_s is not None and process.silent(now, limit_s):
                process.kill(f"stood still for {limit_s:g} s between two calls, and was killed")

    def drain(self) -> None:
        self._drained = True
        if self._workers:
            self._board.halt()

    def cancel(self) -> None:
        self._cancelled = True
        self.drain()
        for lane in self._busy:
            process = lane.worker.process
            if process is not None and lane.answer is not None and not lane.answer.done():
                lane.answer.set_result(process.lost("was given up"))
        for worker in self._workers if self._started else ():
            worker.give_up_start()

    def oldest(self) -> tuple[int, float] | None:
        calls = [
            call
            for worker in self._workers
            for lane in range(self._crew.lanes)
            if worker.process is not None and (call := worker.process.calling(lane))
        ]
        return min(calls, key=lambda call: call[1], default=None)


async def _all(coming: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Wait for all of them. None goes on when this ends because one has failed."""
    tasks = [asyncio.create_task(each) for each in coming]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _all_to_the_end(closing: Iterable[Awaitable[Any]]) -> None:
    """Wait for all of them; then raise the first error."""
    for ended in await asyncio.gather(*closing, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


def _taken(records: list[Record]) -> Taken:
    return Taken([seq for seq, _ in records], [raw for _, raw in records])


def _next_size(size: int, worked: int, lasted_s: float) -> int:
    """How many records the next portion should have, when `worked` of this one took `lasted_s`."""
    fits = worked * PORTION_S / max(lasted_s, 1e-6)
    return max(1, min(size * GROWTH, MOST_RECORDS, int(fits)))
