"""Is a failure worth another attempt, and when?"""

from __future__ import annotations

from dataclasses import dataclass

from ..options import Retry
from ..records import Failure
from .kinds import Kind, classify
from .trial import Trial

MAX_DEATHS = 3
"""How many processes may die while they call one record, before it is known that it is the record:
one may have been killed from outside, or by what another record left behind."""

MAX_SERVER_WAIT_S = 3600.0
"""Longest pause that a server may ask for; what is above is cut to it."""

MAX_THROTTLED_S = 900.0
"""How long one record may be put off by the server before the waits use up its attempts."""

MAX_FREE_WAITS = 50
"""How often one record may be put off by the server before the waits use up its attempts."""

MAX_BUSY_ALONE = 10
"""How often running a service may be too busy for a record, while no other is being called, before
it is known that it is the record."""


def wait_s(attempt: int, retry: Retry, jitter: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): full jitter.

    jitter * min(wait_max_s, wait_min_s * factor ** (attempt - 1)), with `jitter` drawn evenly from
    [0, 1).
    """
    try:
        ceiling = retry.wait_min_s * retry.factor ** (attempt - 1)
    except OverflowError:
        ceiling = retry.wait_max_s
    return jitter * min(retry.wait_max_s, ceiling)


@dataclass(frozen=True, slots=True)
class Again:
    """The verdict: try again `wait_s` seconds from now."""

    wait_s: float
    pause_s: float | None = None
    """How long nobody may start a call, because the server said so: 0 leaves it to us. None is no
    pause."""
    counts: bool = True
    """Whether the failed attempt is used up."""


def next_attempt(
    failure: Failure, trial: Trial, retry: Retry, jitter: float, *, busy_alone: int | None = None
) -> Again | None:
    """What follows when a call has failed: Again, or None for good.

    `trial` is what was tried before this call; `busy_alone` is how often running, this call
    included, a busy server was so for this record alone. A wait that the server asks for is free,
    up to MAX_FREE_WAITS in number and MAX_THROTTLED_S in all; beyond, it is waited for as well, and
    uses up an attempt. A server that is busy for one record alone MAX_BUSY_ALONE times running, and
    asks for no wait or one of 0 s, is so because of that record. Where there is no run whose calls
    could pause (None), a busy server uses up attempts.
    """
    kind = classify(failure, retry)
    if kind is Kind.BUSY and busy_alone is None:
        kind = Kind.TRANSIENT
    back_off_s, pause_s = wait_s(trial.used + 1, retry, jitter), _pause_s(kind, failure)
    if pause_s == 0 and (busy_alone or 0) >= MAX_BUSY_ALONE:
        return None
    if kind is Kind.BUSY and _is_free(trial, 0.0):
        return Again(0.0, 0.0, counts=False)
    if kind is Kind.THROTTLED and _is_free(trial, pause_s or 0.0):
        return Again((pause_s or 0.0) + back_off_s, pause_s, counts=False)
    if kind in (Kind.PERMANENT, Kind.EXHAUSTED) or trial.used + 1 >= retry.max_attempts:
        return None
    return Again((pause_s or 0.0) + back_off_s, pause_s)


def _pause_s(kind: Kind, failure: Failure) -> float | None:
    if kind in (Kind.PERMANENT, Kind.EXHAUSTED):
        return None
    if failure.retry_after_s is not None:
        return min(failure.retry_after_s, MAX_SERVER_WAIT_S)
    return 0.0 if kind is Kind.BUSY else None


def _is_free(trial: Trial, pause_s: float) -> bool:
    return trial.free < MAX_FREE_WAITS and trial.put_off_s + pause_s <= MAX_THROTTLED_S


def call_after_deaths(deaths: int) -> bool:
    """Whether to call a record once more after so many processes died while they called it."""
    return deaths < MAX_DEATHS


def may_be_parted(failure: Failure) -> bool:
    """Whether a call that failed for several records may be repaired by leaving some of them out.

    A task that returned what is no list of results does so whatever the records are.
    """
    return "batchmill.errors.WrongResult" not in failure.lineage
