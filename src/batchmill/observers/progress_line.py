"""What is there to say about a run that is under way, in one line?"""

from __future__ import annotations

import math

from ..events import Progressed
from .text import per_second, percent, span

LONG_CALL_S = 10.0
"""From when on the oldest call is worth a word."""


def line_of(now: Progressed, total: int | None = None) -> str:
    """Everything about the run; the counts are those of this run. `total` is how many records it
    has to settle, where that is known."""
    parts = [*share_of(now, total), *counts_of(now), *pace_of(now, total), *calls_of(now)]
    return ", ".join(parts)


def fraction_of(now: Progressed, total: int | None = None) -> float | None:
    """How much is done, from 0 to 1."""
    return min(1.0, now.counts.settled / total) if total else now.fraction


def share_of(now: Progressed, total: int | None = None) -> list[str]:
    fraction = fraction_of(now, total)
    return [] if fraction is None else [percent(fraction)]


def counts_of(now: Progressed) -> list[str]:
    """What became of records in this run, and how many earlier ones had settled."""
    counts = now.counts
    parts = [f"{counts.settled:,} done"]
    if now.already_settled:
        parts[0] += f" after {now.already_settled:,} before"
    parts += [f"{counts.succeeded:,} succeeded", f"{counts.failed:,} failed"]
    parts += [f"{counts.filtered:,} filtered", f"{now.retries:,} retried"]
    return parts


def pace_of(now: Progressed, total: int | None = None) -> list[str]:
    """The rate of this run, and the time that it leaves."""
    left_s = now.eta_s
    if total and now.rate_per_s:
        left_s = max(0, total - now.counts.settled) / now.rate_per_s
    parts = [per_second(now.rate_per_s)]
    return parts if left_s is None else [*parts, f"{span(math.ceil(left_s))} left"]


def calls_of(now: Progressed) -> list[str]:
    """What runs, what waits for its next attempt, and the call that takes long."""
    parts = [f"{now.in_flight:,} in flight"]
    if now.waiting:
        parts.append(f"{now.waiting:,} waiting")
    if now.oldest_seq is not None and now.oldest_s > LONG_CALL_S:
        parts.append(f"seq {now.oldest_seq} running for {span(now.oldest_s)}")
    return parts
