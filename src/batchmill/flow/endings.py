"""What is said when a run has to end for what its records have met."""

from __future__ import annotations

from ..core.capacity import MAX_DROUGHT_S
from ..errors import QuotaExhausted, ServiceBusy, SystemicFailure, TooManyFailures
from ..records import DeadLetter, Failure


def systemic(alarm: str, letter: DeadLetter) -> SystemicFailure:
    return SystemicFailure(
        f"{alarm}: {_first_line(letter.failure)}",
        hint="no dead letters were written for them; mend the task or its settings and run again"
        " (systemic_after = 0 switches this check off)",
    )


def too_many(failed: int, letter: DeadLetter) -> TooManyFailures:
    return TooManyFailures(
        f"{failed} records failed, which is more than max_failures allows; the last one, seq"
        f" {letter.seq}: {letter.failure.type}: {letter.failure.message}",
        hint="see `batchmill failures`; run again to go on",
    )


def exhausted(failure: Failure) -> QuotaExhausted:
    return QuotaExhausted(
        f"no credit or quota is left: {_first_line(failure)}",
        hint="no dead letters were written for it; see to the account and run again",
    )


def busy(failure: Failure) -> ServiceBusy:
    return ServiceBusy(
        f"for {MAX_DROUGHT_S / 60:.0f} minutes the service has answered nothing but that it is"
        f" busy: {_first_line(failure)}",
        hint="no dead letters were written for it; run again later, or set a rate",
    )


def _first_line(failure: Failure) -> str:
    return f"{failure.type}: {failure.message}".splitlines()[0]
