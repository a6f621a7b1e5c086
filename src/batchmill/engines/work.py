"""What was a slot handed, and what has it made of it so far?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ..protocols import Codec
from ..records import Failure
from ..slots import Desk

T = TypeVar("T")

Record = tuple[int, Any]
"""Seq and raw record."""

FAILURES_RUNNING = 5
"""After how many failures running nothing else of what was handed over is called: first it is to be
known whether the run goes on. So much, for each slot, is called in vain at most."""


class Failed(NamedTuple):
    """A record that failed, and how many had succeeded and been filtered before it."""

    seq: int
    raw: Any
    error: BaseException | Failure
    succeeded: int
    filtered: int
    called: bool = True
    """Whether it could be decoded, and so was called."""


@dataclass(slots=True)
class Work:
    """Records handed over at once, and their outcomes.

    Whoever calls them only appends; the driver reads when the work is done, or given up.
    """

    records: Iterable[Record]
    seqs: list[int] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    rowless: list[tuple[int, Any]] = field(default_factory=list)
    """Seq and key of records without rows, where that is to be reported."""
    blank: list[int] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
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
            self.records, seqs, self.rows[: len(seqs)], self.filtered[:], self.rowless[:],
            self.blank[:], self.failed[:], self.latencies[:], self.called, self.whole,
        )  # fmt: skip

    def known(self) -> set[int]:
        """Seqs of the records that have an outcome."""
        known = {*self.seqs, *self.filtered, *self.blank, *(seq for seq, *_ in self.failed)}
        return known | {seq for seq, _ in self.called} if self.whole else known

    def unreadable(self, codec: Codec, seq: int, raw: Any, error: Exception) -> None:
        """Note a record that could not be decoded: a blank line, or a failure."""
        explained = codec.explain(error, raw)
        if explained is None:
            self.blank.append(seq)
        else:
            self.fail(seq, raw, explained, called=False)

    def fail(self, seq: int, raw: Any, error: BaseException, *, called: bool = True) -> None:
        """Note a record that failed. FAILURES_RUNNING of them halt the work."""
        before = len(self.seqs), len(self.filtered)
        self.failed.append(Failed(seq, raw, error, *before, called))
        if are_running([(each.succeeded, each.filtered) for each in last(self.failed)]):
            self.halted = True

    def report(self, desk: Desk) -> None:
        """Tell the desk all there is."""
        desk.latencies.extend(self.latencies)
        desk.rowless.extend(self.rowless)
        for seq in self.blank:
            desk.blank(seq)
        report_in_order(desk, self.seqs, self.rows, self.filtered, self.failed)
        if self.whole is not None:
            desk.failed_together(self.called, self.whole)


def last(failed: Sequence[T]) -> Sequence[T]:
    """The last FAILURES_RUNNING of these failures."""
    return failed[-FAILURES_RUNNING:]


def are_running(before: Sequence[tuple[int, int]]) -> bool:
    """Whether the last FAILURES_RUNNING outcomes were all failures, given how many records had
    succeeded and been filtered before each of the last ones."""
    return len(before) == FAILURES_RUNNING and before[0] == before[-1]


def report_in_order(
    desk: Desk, seqs: list[int], rows: list[Any], filtered: list[int], failed: Iterable[Failed]
) -> None:
    """Tell the desk of outcomes in the order in which they ended."""
    succeeded = skipped = 0
    for seq, raw, error, *before, _ in failed:
        desk.seqs.extend(seqs[succeeded : before[0]])
        desk.rows.extend(rows[succeeded : before[0]])
        desk.filtered.extend(filtered[skipped : before[1]])
        succeeded, skipped = before
        desk.failed(seq, raw, error)
    desk.seqs.extend(seqs[succeeded:])
    desk.rows.extend(rows[succeeded:])
    desk.filtered.extend(filtered[skipped:])
