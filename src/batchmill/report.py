"""What a run says about itself when it has ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, Literal

State = Literal["completed", "incomplete", "aborted"]


class ExitCode(IntEnum):
    """What the command's exit status means. Anything but DONE, FAILURES and USAGE is resumable."""

    DONE = 0
    ABORTED = 1
    USAGE = 2
    FAILURES = 3
    INCOMPLETE = 4
    RUNNING = 75
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that one attempt took. Sampled where attempts are many; 0 when nothing was called."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a run. read = succeeded + filtered + failed + pending, over all runs of the job.

    `called` and `retries` count this run only; `already_settled` is what earlier runs had done.
    """

    state: State
    name: str
    read: int
    succeeded: int
    filtered: int
    failed: int
    pending: int
    already_settled: int
    called: int = 0
    retries: int = 0
    duration_s: float = 0.0
    latency_s: Latency = field(default_factory=Latency)
    errors_by_type: dict[str, int] = field(default_factory=dict)
    reason: str = ""
    """Why the run ended before its source did."""
    hint: str = ""
    """What looks like a mistake although the run ended well, and what to do about it."""
    exit_code: int = 0
    source_complete: bool = True
    """False while the source was not read to its end: `read` and `pending` then count what was."""
    output: str | None = None
    errors: str | None = None
    results: list[Any] = field(default_factory=list)
    """The results, where the job has no sink."""
    failures: list[Any] = field(default_factory=list)
    """The dead letters, where the job has no sink."""

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can carry it, without results and failures."""
        plain = asdict(self)
        del plain["results"], plain["failures"]
        return plain
