"""What a slot knows of the call that it is making."""

from __future__ import annotations

from typing import Any

from ..calling import Current, idempotency_key
from ..protocols import Codec, Desk


class Slot:
    """One of the calls that run at a time. Its fields are set for every record, so it has few."""

    __slots__ = ("_codec", "_desk", "_job", "busy", "raw", "seq", "started")

    def __init__(self, job: str, codec: Codec, desk: Desk) -> None:
        self.seq = -1
        self.raw: Any = None
        self.started = 0.0
        self.busy = False
        self._job = job
        self._codec = codec
        self._desk = desk

    def current(self) -> Current:
        return Current(
            seq=self.seq,
            key=self._codec.key_of(self.raw),
            attempt=self._desk.attempt(self.seq),
            idempotency_key=idempotency_key(self._job, self.seq, self.raw),
        )

    def __repr__(self) -> str:
        return f"<Slot seq={self.seq} since={self.started:.3f}>" if self.busy else "<Slot idle>"


def oldest(slots: list[Slot]) -> tuple[int, float] | None:
    """Seq and start of the call that has been running longest."""
    busy = [slot for slot in slots if slot.busy]
    if not busy:
        return None
    first = min(busy, key=lambda slot: slot.started)
    return first.seq, first.started


def unreadable(desk: Desk, codec: Codec, seq: int, raw: Any, error: Exception) -> bool:
    """Report a record that could not be decoded: a blank line (False), or a failure (True)."""
    explained = codec.explain(error, raw)
    if explained is None:
        desk.blank(seq)
        return False
    desk.failed(seq, raw, explained)
    return True
