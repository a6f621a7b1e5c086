"""What was a slot handed, and what has it made of it so far?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..protocols import Codec, Desk

Record = tuple[int, Any]
"""Seq and raw record."""


@dataclass(slots=True)
class Work:
    """Records handed over at once, and their outcomes.

    Whoever calls them only appends; the driver reads when the work is done, or given up.
    """

    records: Iterable[Record]
    seqs: list[int] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    unread: list[tuple[int, Any, Exception]] = field(default_factory=list)
    """Records that could not be decoded, and so were not called."""
    failed: list[tuple[int, Any, BaseException]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    called: Sequence[Record] = ()
    """The records of a call for several of them, once it was made."""
    whole: BaseException | None = None
    """Why that call failed as a whole."""
    halted: bool = False
    """Whether no other call is to be begun,"""
    until: float = math.inf
    """or from when on."""

    def so_far(self) -> Work:
        """What is certain by now, while somebody may still append. Seqs are appended last."""
        seqs = self.seqs[:]
        return Work(
            self.records, seqs, self.rows[: len(seqs)], self.filtered[:], self.blank[:],
            self.unread[:], self.failed[:], self.latencies[:], self.called, self.whole,
        )  # fmt: skip

    def known(self) -> set[int]:
        """Seqs of the records that have an outcome."""
        failed = (seq for seq, *_ in (*self.unread, *self.failed))
        known = {*self.seqs, *self.filtered, *self.blank, *failed}
        return known | {seq for seq, _ in self.called} if self.whole else known

    def unreadable(self, codec: Codec, seq: int, raw: Any, error: Exception) -> None:
        """Note a record that could not be decoded: a blank line, or a failure."""
        explained = codec.explain(error, raw)
        if explained is None:
            self.blank.append(seq)
        else:
            self.unread.append((seq, raw, explained))

    def report(self, desk: Desk) -> None:
        """Tell the desk all there is."""
        desk.seqs.extend(self.seqs)
        desk.rows.extend(self.rows)
        desk.filtered.extend(self.filtered)
        desk.latencies.extend(self.latencies)
        for seq in self.blank:
            desk.blank(seq)
        for seq, raw, error in (*self.unread, *self.failed):
            desk.failed(seq, raw, error)
        if self.whole is not None:
            desk.failed_together(self.called, self.whole)
