"""What was tried with one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Outcome


@dataclass(slots=True)
class Trial:
    """What was tried with one record that has no outcome yet."""

    was: Outcome | None = None
    """Its outcome in an earlier run."""
    used: int = 0
    """Calls of this run that count against `max_attempts`."""
    calls: int = 0
    """Calls of this run that held it and have ended without an outcome, of whatever kind."""
    earlier: int = 0
    """Calls of earlier runs."""
    first_at: str = ""
    free: int = 0
    """How often the service has put this record off at no charge,"""
    put_off_s: float = 0.0
    """and for how long in all."""
    deaths: int = 0
    """Processes that died while they called it."""
    company: int | None = None
    """With how many records it may be called at most, itself included, because a call for more of
    them has failed."""

    @property
    def attempts(self) -> int:
        """Every call that has held it, over all runs."""
        return self.earlier + self.calls

    def put_off(self, wait_s: float, *, free: bool) -> None:
        """Note that it waits so long for its next call; unless that is free, for a charge."""
        if free:
            self.free += 1
            self.put_off_s += wait_s
        else:
            self.used += 1


def furthest(trials: Sequence[Trial]) -> Trial:
    """Of records that were called together, the one that has the least left to be tried."""
    return max(trials, key=lambda trial: (trial.used, trial.free))
