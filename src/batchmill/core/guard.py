"""Is it the data that fails, or the setting? Decides when a run must stop instead of failing on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..options import FailureLimit
from ..records import DeadLetter, Failure
from .kinds import lies_outside

DENIALS_TO_STOP = 3
LEAST_WINDOW = 50
"""Outcomes in a row, at least, that must all fail for a cause outside of the records."""
GUARDED = 1000
"""Most dead letters held back, """
GUARDED_BYTES = 32 << 20
"""and most bytes in them. Beyond, they are written; what is counted goes on."""
_DENIED = (401, 403)


@dataclass(slots=True)
class Guard:
    """Holds dead letters back while they may be the sign of a broken setting or service.

    It is told of outcomes one by one, in the order in which they end. Three signs: the first
    `systemic_after` of them all failing in the same way; HTTP 401 or 403 three times running; and,
    at any time, max(LEAST_WINDOW, 2 * `concurrency`) in a row that all fail for a cause outside of
    the records (see `lies_outside`). `systemic_after` = 0 switches all off.

    What is held back when a sign is complete is never written, nor is what fails later: those
    records stay pending. The same holds for what fails after `limit` was passed.
    """

    systemic_after: int = 20
    limit: FailureLimit = field(default_factory=FailureLimit)
    concurrency: int = 1
    held: list[DeadLetter] = field(default_factory=list)
    alarm: str | None = None
    """Why the run must stop now, or None."""
    closed: bool = False
    """Whether the run is to end, so that no other dead letter is written."""
    _alike: str | None = ""
    _begun: int = 0
    _denials: int = 0
    _outside: int = 0
    _bytes: int = 0

    def __post_init__(self) -> None:
        if not self.systemic_after:
            self._alike = None

    def failed(self, letter: DeadLetter) -> list[DeadLetter]:
        """Take in a record that failed for good; returns the dead letters that may be written."""
        if self.closed:
            return []
        self.held.append(letter)
        self._bytes += _size(letter)
        self._count(letter.failure)
        self.alarm = self._alarm(letter.failure) if self.systemic_after else None
        if self.alarm:
            self.close()
        return [] if self._holds() else self.release()

    def _count(self, failure: Failure) -> None:
        self._denials = self._denials + 1 if failure.status in _DENIED else 0
        self._outside = self._outside + 1 if lies_outside(failure) else 0
        self._begun += 1
        how = manner(failure)
        if self._alike == "":
            self._alike = how
        elif self._alike is not None and self._alike != how:
            self._alike = None

    def _alarm(self, failure: Failure) -> str | None:
        if self._denials >= DENIALS_TO_STOP:
            status = failure.status
            return f"HTTP {status} {DENIALS_TO_STOP} times running: the service refuses access"
        if self._alike and self._begun >= self.systemic_after:
            return f"the first {self._begun} records all failed alike"
        if self._outside >= max(LEAST_WINDOW, 2 * self.concurrency):
            return f"the last {self._outside} records all failed for a cause outside of them"
        return None

    def _holds(self) -> bool:
        """Whether what has failed so far may yet turn out to be the sign of something."""
        if self.closed:
            return True
        if len(self.held) > GUARDED or self._bytes > GUARDED_BYTES:
            return False
        watched = self._denials or self._outside
        return self._alike is not None or bool(watched and self.systemic_after)

    def succeeded(self) -> list[DeadLetter]:
        """Take in that some record did not fail; returns the dead letters that may be written."""
        self._alike = None
        self._denials = self._outside = 0
        return self.release()

    def release(self) -> list[DeadLetter]:
        """Everything held back, to be written; nothing once the run is to end."""
        if self.closed:
            return []
        released, self.held, self._bytes = self.held, [], 0
        return released

    def close(self) -> None:
        """Let no other dead letter be written."""
        self.closed = True

    @property
    def watching(self) -> bool:
        """Whether it matters to this guard that a record succeeded."""
        return self._alike is not None or bool(self.held or self._denials or self._outside)

    def too_many(self, failed: int, settled: int) -> bool:
        """Whether `max_failures` is passed; then no other dead letter is written."""
        if self.limit.passed_by(failed, settled):
            self.close()
        return self.closed


def manner(failure: Failure) -> str:
    """In which way it failed: type and HTTP status, whatever the message says of the record."""
    return f"{failure.type} {failure.status or ''}".strip()


def _size(letter: DeadLetter) -> int:
    raw = len(letter.raw) if isinstance(letter.raw, bytes) else 0
    return raw + len(letter.failure.message) + len(letter.failure.traceback)
