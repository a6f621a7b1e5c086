"""What would the next run of a job do, and why? Decided without writing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import Changed, SourceError
from ..paths import JobPaths
from ..protocols import Source
from .changed import (
    changed_output,
    changed_settings,
    changed_source,
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
) -> NextRun:
    """Decide as `open_job` would. `ledger` is None where there is none.

    Compares what a run compares, so it may read as much: the whole source, if it was touched.
    """
    if ledger is None:
        why = unknown_output(paths.output)
        return _by_key(why, key) if why else NextRun("start", "there is no earlier run")
    error = changed_settings(ledger, settings, accept=accept_changes)
    if error:
        return NextRun("refuse", error.message, error)
    try:
        why = None if ledger.rewriting else changed_output(ledger, paths.output)
        why = why or changed_source(ledger, source)
        return _by_key(why, key) if why else _go_on(ledger, source, retry_failed)
    except (SourceError, FileNotFoundError) as problem:
        return _unreadable(source, problem)


def _by_key(why: str, key: str | None) -> NextRun:
    if key is None:
        error = without_key(why)
        return NextRun("refuse", error.message, error)
    return NextRun("rebuild", f"{why}; progress would be found again by {key!r}")


def _unreadable(source: Source, problem: SourceError | FileNotFoundError) -> NextRun:
    if isinstance(problem, FileNotFoundError):
        problem = SourceError(f"{source.name} does not exist")
    return NextRun("refuse", problem.message, problem)


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
