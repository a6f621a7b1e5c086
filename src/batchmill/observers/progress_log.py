"""Progress as log lines, for a run that nobody watches: often at first, then ever more rarely."""

from __future__ import annotations

import logging

from ..events import Event, Progressed, RunStarted
from .progress_line import line_of

PROGRESS = "batchmill.progress"
"""The logger of these lines."""

STEPS = ((5.0, 1.0), (30.0, 5.0), (600.0, 30.0), (3600.0, 60.0))
"""Until so many seconds into the run, a line every so many seconds."""
LAST_STEP_S = 300.0


class ProgressLog:
    """Logs a line about where the run stands, at intervals that grow with the run."""

    def __init__(self, total: int | None = None) -> None:
        self._log = logging.getLogger(PROGRESS)
        self._total = total
        self._due_s = 0.0

    def on_event(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._due_s = interval_s(0.0)
        elif isinstance(event, Progressed) and event.elapsed_s >= self._due_s:
            self._due_s = event.elapsed_s + interval_s(event.elapsed_s)
            self._log.info("%s", line_of(event, self._total), extra={"facts": _facts(event)})


def interval_s(elapsed_s: float) -> float:
    """Seconds from one line to the next, so far into the run."""
    return next((step_s for until_s, step_s in STEPS if elapsed_s < until_s), LAST_STEP_S)


def _facts(now: Progressed) -> dict[str, object]:
    counts = now.counts
    return {
        "elapsed_s": round(now.elapsed_s, 3),
        "succeeded": counts.succeeded,
        "filtered": counts.filtered,
        "failed": counts.failed,
        "retries": now.retries,
        "already_settled": now.already_settled,
        "in_flight": now.in_flight,
        "waiting": now.waiting,
        "fraction": now.fraction,
        "rate_per_s": round(now.rate_per_s, 3),
        "eta_s": now.eta_s,
        "oldest_s": round(now.oldest_s, 3),
        "oldest_seq": now.oldest_seq,
    }
