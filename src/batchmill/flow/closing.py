"""What is there to report when a run has ended?"""

from __future__ import annotations

import signal
from typing import Any

from ..errors import BatchmillError
from ..records import Counts
from ..report import ExitCode, Report, State
from .run import Parts

SUSPICIOUS = 20
"""From so many records on it is said that all of them were filtered."""


def report_of(
    run: Parts, name: str, already: Counts, *, known: int, complete: bool, **more: Any
) -> Report:
    """The report of a run that has ended. `known` records have ever been read, blank lines not
    counted; `complete` says that there are no others."""
    counts, desk = run.store.counts, run.desk
    pending = max(0, known - counts.settled)
    state = _state(run, pending, complete)
    return Report(
        state=state,
        name=name,
        read=counts.settled + pending,
        succeeded=counts.succeeded,
        filtered=counts.filtered,
        failed=counts.failed,
        pending=pending,
        already_settled=already.settled,
        called=desk.called,
        retries=desk.retries,
        duration_s=run.meter.elapsed_s,
        latency_s=desk.histogram.latency,
        errors_by_type=dict(desk.letters.by_type),
        reason=_reason(run, state),
        hint=_hint(desk.counts),
        exit_code=_exit_code(run, state, counts.failed + desk.letters.failed_reruns),
        source_complete=complete,
        **more,
    )


def _hint(this_run: Counts) -> str:
    """That a task which gives a result for no record at all may not be meant to."""
    filtered = this_run.filtered
    if filtered < SUSPICIOUS or filtered < this_run.settled:
        return ""
    return (
        f"all {filtered:,} records were filtered: the task returned None for each of them. Was its"
        " return forgotten? If so, mend it, and `batchmill rerun --filtered` calls them again"
    )


def _state(run: Parts, pending: int, complete: bool) -> State:
    if run.stop.error is not None:
        return "aborted"
    return "incomplete" if run.stop.asked or pending or not complete else "completed"


def _reason(run: Parts, state: State) -> str:
    if run.stop.error is not None:
        return str(run.stop.error)
    if run.stop.asked:
        return run.stop.reason
    return run.feed.pending.unread if state == "incomplete" else ""


def _exit_code(run: Parts, state: State, failed: int) -> int:
    error, number = run.stop.error, run.stop.signal
    if error is not None:
        return error.exit_code if isinstance(error, BatchmillError) else ExitCode.ABORTED
    if number is not None:
        return 128 + signal.Signals(number)
    if state == "incomplete":
        return ExitCode.INCOMPLETE
    return ExitCode.FAILURES if failed else ExitCode.DONE
