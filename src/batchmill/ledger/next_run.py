"""What would the next run of a job do, and why? Decided without writing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import Changed, SourceError
from ..paths import JobPaths
from ..protocols import Source
from .changed import (
    begins_anew,
    changed_output,
    changed_settings,
    changed_source,
    unasked,
    unknown_output,
    without_key,
)
from .reading import LedgerState

Will = Literal["start", "resume", "rebuild", "nothing", "refuse"]


@dataclass(frozen=True, slots=True)
class NextRun:
    """What it would do, in a word and in a sentence. `error` is what it would be refused with."""

    will: Will
    why: str
    error: Changed | SourceError | None = None


def next_run(
    ledger: LedgerState | None,
    paths: JobPaths,
    source: Source,
    settings: dict[str, Any],
    *,
    key: str | None,
    retry_failed: bool = True,
    accept_changes: bool = False,
    adopt: bool = False,
) -> NextRun:
    """Decide as `open_job` would. `ledger` is None where there is none.

    Compares what a run compares, so it may read as much: the whole source, if it was touched.
    """
    why = unknown_output(ledger, paths.output)
    if why:
        return _by_key(why, key) if adopt else _refused(unasked(why))
    if ledger is None:
        return NextRun("start", "there is no earlier run")
    error = changed_settings(ledger, settings, accept=accept_changes)
    if error:
        return _refused(error)
    if begins_anew(ledger, settings):
        return NextRun("start", "no record is settled, and settings that matter have changed")
    try:
        why = None if ledger.rewriting else changed_output(ledger, paths.output)
        if why:
            return _by_key(why, key)
        return _with_source(ledger, source, changed_source(ledger, source), key, retry_failed)
    except (SourceError, FileNotFoundError) as problem:
        return _unreadable(source, problem)


def _with_source(
    ledger: LedgerState, source: Source, why: str | None, key: str | None, retry_failed: bool
) -> NextRun:
    if why is None:
        return _go_on(ledger, source, retry_failed)
    return _by_key(why, key) if ledger.counts.settled else NextRun("start", why)


def _refused(error: Changed | SourceError) -> NextRun:
    return NextRun("refuse", error.message, error)


def _by_key(why: str, key: str | None) -> NextRun:
    if key is None:
        return _refused(without_key(why))
    return NextRun("rebuild", f"{why}; progress would be found again by {key!r}")


def _unreadable(source: Source, problem: SourceError | FileNotFoundError) -> NextRun:
    if isinstance(problem, FileNotFoundError):
        problem = SourceError(f"{source.name} does not exist")
    return _refused(problem)


def _go_on(ledger: LedgerState, source: Source, retry_failed: bool) -> NextRun:
    work = _work(ledger, source, retry_failed)
    if work:
        start = ledger.marks.resume.seq
        return NextRun("resume", f"{', '.join(work)}; reading goes on at seq {start:,}")
    return NextRun("nothing", "every record of the source has an outcome")


def _work(ledger: LedgerState, source: Source, retry_failed: bool) -> list[str]:
    """What there is to do, each in a few words."""
    work = []
    reruns, failed = ledger.reruns(), ledger.retryable() if retry_failed else 0
    if ledger.pending:
        work.append(f"{ledger.pending:,} read and pending")
    if not ledger.source_complete:
        work.append("the source was not read to its end")
    elif source.identity() != ledger.source_identity and _has_more(ledger, source):
        work.append("the source has grown")
    if failed:
        work.append(f"{failed:,} failed to be tried again")
    if reruns:
        work.append(f"{reruns:,} to be run again")
    return work


def _has_more(ledger: LedgerState, source: Source) -> bool:
    return next(source.blocks(ledger.marks.extent), None) is not None
