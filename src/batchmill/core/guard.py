"""Is it the data that fails, or the setting? Decides when a run must stop instead of failing on."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..options import FailureLimit
from ..records import DeadLetter, Failure

DENIALS_TO_STOP = 3
_DENIED = (401, 403)


@dataclass(slots=True)
class Guard:
    """Holds dead letters back while they may be the sign of a broken setting or service.

    Two signs: the first `systemic_after` outcomes all failing in the same way, and HTTP 401 or 403
    three times running; `systemic_after` = 0 switches both off. What is held back when a sign is
    complete is never written: those records stay pending.
    """

    systemic_after: int = 20
    limit: FailureLimit = field(default_factory=FailureLimit)
    held: list[DeadLetter] = field(default_factory=list)
    _alike: str | None = ""
    _denials: int = 0

    def __post_init__(self) -> None:
        if not self.systemic_after:
            self._alike = None

    def failed(self, letter: DeadLetter) -> list[DeadLetter]:
        """Take in a record that failed for good; returns the dead letters that may be written."""
        self.held.append(letter)
        self._denials = self._denials + 1 if letter.failure.status in _DENIED else 0
        self._watch_beginning(manner(letter.failure))
        held = self._alike is not None or (self._denials and self.systemic_after)
        return [] if held else self.release()

    def _watch_beginning(self, how: str) -> None:
        if self._alike == "":
            self._alike = how
        elif self._alike is not None and self._alike != how:
            self._alike = None

    def succeeded(self) -> list[DeadLetter]:
        """Take in that some record did not fail; returns the dead letters that may be written."""
        self._alike = None
        self._denials = 0
        return self.release()

    def release(self) -> list[DeadLetter]:
        """Everything held back, to be written."""
        released, self.held = self.held, []
        return released

    @property
    def watching(self) -> bool:
        """Whether it matters to this guard that a record succeeded."""
        return self._alike is not None or bool(self.held) or bool(self._denials)

    @property
    def alarm(self) -> str | None:
        """Why the run must stop now, or None."""
        if self.systemic_after and self._denials >= DENIALS_TO_STOP:
            status = self.held[-1].failure.status
            return f"HTTP {status} {DENIALS_TO_STOP} times running: the service refuses access"
        if self._alike and len(self.held) >= self.systemic_after:
            return f"the first {len(self.held)} records all failed alike"
        return None

    def too_many(self, failed: int, settled: int) -> bool:
        """Whether `max_failures` is passed."""
        return self.limit.passed_by(failed, settled)


def manner(failure: Failure) -> str:
    """In which way it failed: type and HTTP status, whatever the message says of the record."""
    return f"{failure.type} {failure.status or ''}".strip()
