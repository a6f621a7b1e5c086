"""What feeds one slot in a worker process, and takes in its outcomes? Portions from the driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from operator import length_hint
from typing import Any

from ..core.failures import failure_of
from ..core.kinds import asks_for_pause
from ..errors import InvalidRecord, UnencodableResult
from ..records import Failure, Taken
from .base import Setting
from .board import Board
from .cells import Cells
from .orders import Orders
from .wire import Done, Portion, Told, dumps, told, unpacked
from .work import are_running, last

PORTION_MOST_S = 0.1
"""How long a portion may last. What is not begun by then goes back to the driver."""
LOOK_S = 0.002
"""How long records are called before the board is looked at: where calls take longer than that, it
is between any two of them."""
WORD_S = 0.2
"""How long all workers wait for the driver's word after a failure that asks for a pause."""
STEP_S = 0.02
"""How often a lane that waits looks whether it still has to."""


class Lane:
    """Feed and desk of one slot. Works through one portion after the other, and answers each."""

    paced = False
    paused_until = 0.0

    def __init__(
        self,
        number: int,
        cells: Cells,
        board: Board,
        setting: Setting,
        send: Callable[[Done], None],
        orders: Orders,
    ) -> None:
        self.number = number
        self.cells = cells
        self.closing = False
        self._board = board
        self.piece: Iterator[tuple[int, Any]] = iter(())
        self._items: Iterator[Any] = iter(())
        self.until = 0.0
        self.seqs: list[int] = []
        self.rows: list[Any] = []
        self.filtered: list[int] = []
        self.rowless: list[tuple[int, Any]] = []
        self.latencies: list[float] = []
        self._blank: list[int] = []
        self._failed: list[tuple[int, Told, int, int]] = []
        self._given_back: list[int] = []
        self._whole: Told | None = None
        self._called: list[int] = []
        self._codec = setting.codec
        self._now = setting.now
        self._orders = orders
        self._send = send
        self._inbox: asyncio.Queue[Portion | None] = asyncio.Queue()
        self._portion: Portion | None = None
        self._raws: list[Any] = []
        self._began = self._over_at = 0.0

    def put(self, portion: Portion) -> None:
        """Hand over the next portion."""
        self._inbox.put_nowait(portion)

    def close(self) -> None:
        """Let the lane end."""
        self.closing = True
        self._inbox.put_nowait(None)

    @property
    def busy(self) -> bool:
        return self._portion is not None

    async def more(self) -> bool:
        if self._portion and length_hint(self._items) and self._goes_on():
            return True
        self._answer()
        while portion := await self._inbox.get():
            self._begin(portion)
            if self._raws and await self._may_begin():
                return True
            self._answer()
        return False

    def _goes_on(self) -> bool:
        """Whether the next call of the portion may begin; then for how long nobody has to ask."""
        now = self._now()
        self.until = min(now + LOOK_S, self._over_at)
        running = are_running([each[2:] for each in last(self._failed)])
        return now < self._over_at and not running and self._board.wait_s(now) <= 0

    async def _may_begin(self) -> bool:
        """Wait until the first call of the portion may begin; False if that may take long."""
        while not self.closing:
            now = self._now()
            wait_s = self._board.wait_s(now)
            if wait_s > WORD_S:
                return False
            if wait_s <= 0 and (wait_s := self._board.take_start(now)) <= 0:
                self._began, self._over_at = now, now + PORTION_MOST_S
                self.until = now + LOOK_S
                return True
            self.cells.beat()
            await asyncio.sleep(min(wait_s, STEP_S))
        return False

    async def take(self, _: int) -> Taken:
        """The whole portion, which is one call."""
        self._answer()
        if not await self.more() or self._portion is None:
            return Taken([], [])
        self.piece = self._items = iter(())
        return Taken(self._portion.seqs, self._raws)

    def _begin(self, portion: Portion) -> None:
        columns = self._codec.columns
        if columns is not None and columns.names is None:
            columns.names = portion.columns
        self._portion = portion
        self._began = self._now()
        self.piece = self._items = iter(())
        try:
            self._raws = unpacked(portion.raws)
        except Exception as error:
            self._raws, self._called = [], portion.seqs
            self._whole = self._told(_unreadable(error))
        else:
            # A zip does not tell how much of it is left.
            self._items = iter(self._raws)
            self.piece = zip(portion.seqs, self._items, strict=True)

    def _answer(self) -> None:
        """Tell the driver what has become of the portion, and begin anew."""
        if self._portion is None:
            return
        self._portion = None
        columns = self._codec.columns
        rows = self._packed() if self._orders.objects_out else self.rows
        self._send(Done(
            self.number, self._now() - self._began, self.seqs, rows, self.filtered,
            self._blank, self.latencies, self._failed,
            [*self._given_back, *(seq for seq, _ in self.piece)], self._whole, self._called,
            columns.names if columns else None, self.rowless,
        ))  # fmt: skip
        for each in (self.seqs, self.rows, self.filtered, self.rowless, self.latencies, self._blank,
                     self._failed, self._given_back, self._called):  # fmt: skip
            each.clear()
        self._whole = None

    def _packed(self) -> bytes:
        """The rows as a pickle; what cannot be pickled has failed."""
        try:
            return dumps(self.rows)
        except Exception:
            done = list(zip(self.seqs, self.rows, strict=True))
        self.seqs.clear()
        self.rows.clear()
        for seq, row in done:
            try:
                dumps(row)
            except Exception as error:
                self.failed(seq, None, _unsendable(error))
            else:
                self.seqs.append(seq)
                self.rows.append(row)
        return dumps(self.rows)

    def blank(self, seq: int) -> None:
        self._blank.append(seq)

    def failed(self, seq: int, _: Any, error: BaseException | Failure) -> None:
        self._failed.append((seq, self._told(error), len(self.seqs), len(self.filtered)))

    def failed_together(
        self, records: Sequence[tuple[int, Any]], error: BaseException | Failure
    ) -> None:
        self._whole = self._told(error)
        self._called = [seq for seq, _ in records]

    def _told(self, error: BaseException | Failure) -> Told:
        return told(self.noted(error)[0])

    def noted(self, error: BaseException | Failure) -> tuple[Failure, bool]:
        """The failure as a value, and whether it asks for a pause: then no worker begins a call
        before the driver has heard of it."""
        failure = error if isinstance(error, Failure) else failure_of(error, datetime.now(UTC))
        limit = self._orders.memory_limit
        if isinstance(error, MemoryError) and limit:
            much = f"the call needs more memory than run.worker_memory = {limit} bytes"
            failure = failure._replace(message=f"{much} {failure.message}".strip())
        asks = asks_for_pause(failure)
        if asks and not isinstance(error, Failure):
            self._board.ask(self._now() + WORD_S)
        return failure, asks

    def died(self, records: Sequence[tuple[int, Any]], error: BaseException) -> None:
        """Nobody dies in here who could tell."""
        raise NotImplementedError

    def lost(self, seq: int, _: Any) -> None:
        """Nothing is lost in here."""
        raise NotImplementedError

    def returned(self, seq: int, _: Any) -> None:
        self._given_back.append(seq)

    def alone(self, _: int) -> bool:
        return False

    def attempts(self, seqs: Sequence[int]) -> dict[int, int]:
        return {seq: self.attempt(seq) for seq in seqs}

    def attempt(self, seq: int) -> int:
        return self._portion.attempts.get(seq, 1) if self._portion else 1


def _unreadable(error: Exception) -> InvalidRecord:
    return InvalidRecord(
        f"the item cannot be read in a worker process: {type(error).__name__}: {error}; hint: give "
        "plain values, or run in threads"
    )


def _unsendable(error: Exception) -> UnencodableResult:
    return UnencodableResult(
        f"the result cannot be sent from a worker process: {error}; hint: return plain values, or "
        "run in threads"
    )
