"""What an observer is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from .records import Counts
from .report import Report


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The lock is held and the first record is about to be read."""

    name: str
    run: int
    already_settled: int
    failed_before: int
    concurrency: int
    engine: str
    size: int | None = None
    """Bytes of the source, where it has a size."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """A few times a second: where the run stands. Counts of this run are not yet all durable."""

    elapsed_s: float
    counts: Counts = field(default_factory=Counts)
    """Outcomes of this run."""
    retries: int = 0
    in_flight: int = 0
    waiting: int = 0
    """Records in back-off."""
    already_settled: int = 0
    fraction: float | None = None
    """How much of the source is behind the run, from 0 to 1, where that can be told."""
    rate_per_s: float = 0.0
    """Outcomes a second, over the last seconds of this run."""
    eta_s: float | None = None
    oldest_s: float = 0.0
    """How long the longest running call has taken so far."""
    oldest_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """Something an operator wants to read: a pause, a repair, a stop."""

    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last commit is durable and everything is closed."""

    report: Report


Event = RunStarted | Progressed | Noted | RunEnded
