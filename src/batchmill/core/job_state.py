"""The state of a job as bytes, and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from ..records import Counts, Mark


@dataclass(slots=True)
class OutputEnd:
    """How far the output counts."""

    length: int = 0
    """Committed end of the output, in bytes,"""
    crc: int = 0
    """and the CRC-32 of all of it."""
    plain: int = 0
    """The same length before compression."""
    last_start: int = 0
    """Where the last commit began to append,"""
    last_crc: int = 0
    """and the CRC-32 of all of the output before that."""


@dataclass(slots=True)
class JobState:
    """What a ledger knows of a job besides its records. All of it is written by every commit."""

    name: str
    created_at: str
    settings: dict[str, Any] = field(default_factory=dict)
    """The settings that matter."""
    source_path: str = ""
    """Where the source is, if it is a file or a pattern."""
    source_identity: dict[str, Any] = field(default_factory=dict)
    """Cheap facts of the source."""
    source_complete: bool = False
    """Whether some run has read the source to its end."""
    resume: Mark = field(default_factory=Mark)
    """Where reading goes on."""
    extent: Mark = field(default_factory=Mark)
    """How far the source was ever read."""
    low_water: int = 0
    counts: Counts = field(default_factory=Counts)
    output: OutputEnd = field(default_factory=OutputEnd)
    output_identity: dict[str, Any] = field(default_factory=dict)
    """Size and times of the output when the last run ended."""
    rewriting: dict[str, int] | None = None
    """A rewrite of the output that is under way."""
    next_start_at: float = 0.0
    """When the pace lets the next call start, in seconds since the epoch."""
    usage: dict[str, Any] = field(default_factory=dict)
    """What calls have used and cost."""

    def encoded(self) -> bytes:
        return msgspec.json.encode(asdict(self))

    @classmethod
    def decoded(cls, data: bytes) -> JobState:
        """Raises ValueError for what is no state. Fields of later versions are passed over."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"the state of the job cannot be read: {error}") from None

    def disagrees(self, tally: list[int]) -> str | None:
        """How these sums of outcomes, by code, differ from the counts; None if they agree."""
        _, with_rows, without_rows, filtered, failed, blank, unknown = tally
        counts = self.counts
        settled = counts.settled + counts.blank
        if sum(tally[1:]) != settled:
            return f"the outcomes of {sum(tally[1:]):,} records are known, and {settled:,} counted"
        known = (with_rows + without_rows, filtered, failed, blank)
        counted = (counts.succeeded, counts.filtered, counts.failed, counts.blank)
        left = [count - sure for count, sure in zip(counted, known, strict=True)]
        if min(left) < 0 or sum(left) != unknown:
            return f"outcomes of records sum up to {known}, and the counts are {counted}"
        return None
