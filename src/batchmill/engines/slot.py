"""What a slot knows of the call that it is making."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..calling import Current, idempotency_key
from ..protocols import Codec
from ..slots import Desk
from .base import Setting
from .work import Record


class Slot:
    """One of the calls that run at a time. Its fields are set for every record, so it has few."""

    __slots__ = ("_attempt", "_codec", "_job", "batch", "busy", "raw", "seq", "started")

    def __init__(self, job: str, codec: Codec, attempt: Callable[[int], int]) -> None:
        self.seq = -1
        self.raw: Any = None
        self.started = 0.0
        self.busy = False
        self.batch: Sequence[Record] | None = None
        """The records of the call, where a call takes several."""
        self._job = job
        self._codec = codec
        self._attempt = attempt

    @property
    def records(self) -> Sequence[Record]:
        """The records of the call."""
        return [(self.seq, self.raw)] if self.batch is None else self.batch

    def begin(self, batch: Sequence[Record], now: float) -> None:
        """Note that a call for several records begins."""
        self.batch = batch
        self.seq, self.raw = batch[0]
        self.started = now
        self.busy = True

    def current(self) -> Current:
        if self.batch is not None:
            raise LookupError("process_batch is called for several records at once, and has no "
                              "current one: what names a record is in the record")  # fmt: skip
        return Current(
            seq=self.seq,
            key=self._codec.key_of(self.raw),
            attempt=self._attempt(self.seq),
            idempotency_key=idempotency_key(self._job, self.seq, self.raw),
        )

    def __repr__(self) -> str:
        return f"<Slot seq={self.seq} since={self.started:.3f}>" if self.busy else "<Slot idle>"


def oldest(slots: Sequence[Slot]) -> tuple[int, float] | None:
    """Seq and start of the call that has been running longest."""
    busy = [slot for slot in slots if slot.busy]
    if not busy:
        return None
    first = min(busy, key=lambda slot: slot.started)
    return first.seq, first.started


class Outcomes(Protocol):
    """Where outcomes are appended."""

    filtered: list[int]
    rowless: list[tuple[int, Any]]


def outputs(
    setting: Setting, slot: Slot, outcomes: Outcomes
) -> tuple[Callable[[Any], Any], Callable[[int], None]]:
    """How the result of the record that `slot` calls is encoded, and how one is noted that was
    filtered; both note the keys of records without rows, where that is asked for."""
    encode, add_filtered, key_of = (
        setting.codec.encode,
        outcomes.filtered.append,
        setting.codec.key_of,
    )
    if not setting.keyed:
        return encode, add_filtered

    def note() -> None:
        outcomes.rowless.append((slot.seq, key_of(slot.raw)))

    def encode_and_note(result: Any) -> Any:
        row = encode(result)
        if not row:
            note()
        return row

    def filter_and_note(seq: int) -> None:
        note()
        add_filtered(seq)

    return encode_and_note, filter_and_note


def unreadable(desk: Desk, codec: Codec, seq: int, raw: Any, error: Exception) -> bool:
    """Report a record that could not be decoded: a blank line (False), or a failure (True)."""
    explained = codec.explain(error, raw)
    if explained is None:
        desk.blank(seq)
        return False
    desk.failed(seq, raw, explained)
    return True


def fail(desk: Desk, records: Sequence[Record], error: BaseException) -> None:
    """Report that the call for these records failed."""
    if len(records) == 1:
        desk.failed(*records[0], error)
    else:
        desk.failed_together(records, error)


def give_back(desk: Desk, records: Sequence[Record]) -> None:
    """Report that these records were not called after all."""
    for seq, raw in records:
        desk.returned(seq, raw)
