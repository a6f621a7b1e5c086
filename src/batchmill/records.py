"""The values that travel: marks, blocks, failures, dead letters, commits."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal, NamedTuple

Outcome = Literal["succeeded", "filtered", "failed"]
Unfinished = Literal["no", "if broken", "yes"]


class OutcomeCode(IntEnum):
    """What became of a record, as the ledger keeps it for each of them."""

    PENDING = 0
    WITH_ROWS = 1
    """It succeeded, and has rows in the output."""
    WITHOUT_ROWS = 2
    """It succeeded with an empty list of results."""
    FILTERED = 3
    FAILED = 4
    BLANK = 5
    """A blank line, which is no record."""
    UNKNOWN = 6
    """Settled before ledgers told one outcome from another."""

    @property
    def outcome(self) -> Outcome | None:
        """In a word; None where there is none, or it is not known."""
        return _OUTCOMES.get(self)


_OUTCOMES: dict[int, Outcome] = {
    OutcomeCode.WITH_ROWS: "succeeded",
    OutcomeCode.WITHOUT_ROWS: "succeeded",
    OutcomeCode.FILTERED: "filtered",
    OutcomeCode.FAILED: "failed",
}

MESSAGE_CHARS = 4096
"""Longest error message and traceback that is kept."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the source from which reading can go on, and a check of everything before it.

    `crc` is the CRC-32 of the source's bytes from 0 to `offset`. `open_line` says that the last
    record before the mark ended with the source and not with a newline.
    """

    seq: int = 0
    offset: int = 0
    crc: int = 0
    open_line: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the source read at once: records `mark.seq` onwards, and the mark behind them."""

    mark: Mark
    records: Sequence[Any]
    end: Mark
    unfinished: Unfinished = "no"
    """Whether its last record is half-written: the source, which it ends with, is being written."""


class Taken(NamedTuple):
    """Records that one slot took from the feed: their seqs, and what is raw of them, in step."""

    seqs: list[int]
    raws: list[Any]

    def pairs(self) -> list[tuple[int, Any]]:
        return list(zip(self.seqs, self.raws, strict=True))


@dataclass(frozen=True, slots=True)
class Oversized:
    """What stands in a block for a record above `max_record_bytes`: its length and beginning."""

    length: int
    head: bytes


@dataclass(slots=True)
class Columns:
    """The columns of an output, for everyone who encodes rows for it, wherever they run."""

    names: tuple[str, ...] | None = None
    """None until they are known: from the output so far, from an option, or from the first result.
    Set once, and never changed."""


FRAMES = 20
"""Most frames of a traceback that are kept: the innermost."""


class Region(NamedTuple):
    """What one commit appended to the output; `crc` is that of all output up to its end."""

    start: int
    length: int
    crc: int
    head: int = 0
    """Bytes before compression that the sink put before the first row, such as a header."""


Limit = Literal["", "too fast", "no credit"]
"""Which limit of a service an answer speaks of, if any."""


class Sign(NamedTuple):
    """What one exception says, or one of a group."""

    lineage: tuple[str, ...]
    status: int | None = None
    retry_after_s: float | None = None
    limit: Limit = ""


class Failure(NamedTuple):
    """Why one attempt failed, as a value that can cross a process border."""

    type: str
    message: str
    traceback: str
    lineage: tuple[str, ...]
    """Full names of the exception's classes, nearest first, and of those of its causes."""
    status: int | None = None
    """HTTP status, where the exception carries one."""
    retry_after_s: float | None = None
    """What the server asked for, where the exception carries it."""
    limit: Limit = ""
    members: tuple[Sign, ...] = ()
    """What each exception says where several were raised at once."""
    error: BaseException | None = None
    """The exception itself, in the process that saw it."""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        lineage = tuple(f"{c.__module__}.{c.__qualname__}" for c in type(error).__mro__)
        return cls(
            type=type(error).__qualname__,
            message=_message_of(error),
            traceback=_trace_of(error)[-MESSAGE_CHARS:],
            lineage=lineage,
            error=error,
        )

    def kept(self, *, with_error: bool) -> Failure:
        """The failure as it is kept: without the exception, or with one that holds no frames."""
        if self.error is None or not with_error:
            return self._replace(error=None)
        each: BaseException | None = self.error
        for _ in range(FRAMES):
            if each is None:
                break
            each.__traceback__ = None
            each = each.__cause__ or each.__context__
        return self


def _trace_of(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error, limit=-FRAMES))
    except Exception:
        # A user's __str__ may raise anything, and CPython 3.11 a SystemError when two threads look
        # for the place in a line at the same moment.
        return f"(the traceback of {type(error).__qualname__} could not be read)"


def _message_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its message could not be read)"
    return text[:MESSAGE_CHARS]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that failed for good, with the bytes it came in. Times are ISO 8601 in UTC."""

    seq: int
    raw: bytes
    failure: Failure
    attempts: int
    first_at: str
    last_at: str
    key: str | int | None = None
    complete: bool = True
    """False where `raw` is only the beginning of a record that was too large."""

    @property
    def size(self) -> int:
        """Bytes and characters of record, message and traceback; an item in memory counts none."""
        raw = len(self.raw) if isinstance(self.raw, bytes) else 0
        return raw + len(self.failure.message) + len(self.failure.traceback)


@dataclass(frozen=True, slots=True)
class Requeued:
    """A record of an earlier run that is to be called again.

    `was` is its outcome so far. What did not fail is a rerun: its old outcome stands until the new
    one is committed.
    """

    seq: int
    raw: Any
    was: Outcome = "failed"
    attempts: int = 0
    first_at: str = ""


@dataclass(slots=True)
class Counts:
    """What became of records. A blank line is no record: it is settled, and counted apart."""

    succeeded: int = 0
    filtered: int = 0
    failed: int = 0
    blank: int = 0

    @property
    def settled(self) -> int:
        """Records with an outcome."""
        return self.succeeded + self.filtered + self.failed

    def move(self, was: Outcome | None, now: Outcome) -> None:
        """Count a record under `now`, and no longer under `was`."""
        setattr(self, now, getattr(self, now) + 1)
        if was:
            setattr(self, was, getattr(self, was) - 1)

    def note(self, code: OutcomeCode, count: int) -> None:
        """Count so many records with this outcome."""
        name = "blank" if code is OutcomeCode.BLANK else code.outcome or "succeeded"
        setattr(self, name, getattr(self, name) + count)

    def add(self, other: Counts) -> None:
        self.succeeded += other.succeeded
        self.filtered += other.filtered
        self.failed += other.failed
        self.blank += other.blank


@dataclass(slots=True)
class Commit:
    """What is to be made durable together, or not at all."""

    chunks: list[Any] = field(default_factory=list)
    """Encoded results, joined by pieces, in the order they go to the sink."""
    settled: list[tuple[int, int, OutcomeCode]] = field(default_factory=list)
    """Half-open ranges of seq that now have an outcome, and which."""
    resettled: list[tuple[int, OutcomeCode]] = field(default_factory=list)
    """Records of earlier runs that now have another outcome."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    """Records whose earlier dead letter no longer holds."""
    replaced: list[int] = field(default_factory=list)
    """Records whose earlier result is superseded by one in this commit."""
    rowless: list[tuple[int, str | int]] = field(default_factory=list)
    """Seq and key of records that are settled and have no rows, where the job has a key."""
    counts: Counts = field(default_factory=Counts)
    marks: list[Mark] = field(default_factory=list)
    """Marks passed by the reader since the last commit, in order."""
    size: int = 0
    """Bytes in `chunks`."""
    weight: int = 0
    """Bytes that all of it takes in memory, about."""

    def __bool__(self) -> bool:
        return bool(
            self.settled or self.dead_letters or self.resolved or self.replaced or self.marks
        )
