"""How is a job with a results file taken up: fresh, resumed, or after something was changed?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..files.lock import job_lock
from ..formats.rows import RowFormat
from ..job import Job
from ..paths import JobPaths
from ..protocols import Source
from ..records import Commit
from ..sinks.appended import AppendedFile
from .aside import move_aside, move_one_aside
from .changed import (
    changed_output,
    changed_settings,
    changed_source,
    identity_of,
    without_key,
)
from .connecting import explaining
from .errors_file import ErrorsFile
from .file_store import FileStore
from .ledger import SqliteLedger
from .output import pieces_of
from .rebuild import rebuild
from .rewrite import finish_rewrite, remove_superseded

__all__ = ["Asked", "OpenJob", "identity_of", "open_job"]

Note = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for besides the job itself."""

    restart: bool = False
    accept_changes: bool = False
    only: Literal["failed", "reruns"] | None = None


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job whose lock is held, ready to run."""

    store: FileStore
    ledger: SqliteLedger
    sink: AppendedFile
    errors: ErrorsFile


@contextmanager
def open_job(
    job: Job,
    name: str,
    source: Source,
    sink: AppendedFile,
    settings: dict[str, Any],
    key_of: Callable[[Any], str | int | None],
    asked: Asked,
    note: Note,
) -> Iterator[OpenJob]:
    """Take the job up where it was left, and hold its lock.

    Raises AlreadyRunning, LedgerError, and Changed when going on could lose or double a record.
    """
    assert job.sink is not None
    paths = JobPaths.of(job.sink, job.errors).absolute()
    with job_lock(paths.lock), explaining(paths.ledger):
        if asked.restart:
            for moved in move_aside(paths):
                note(f"kept {moved}")
        ledger = SqliteLedger(paths.ledger, name)
        try:
            finish_rewrite(ledger, paths.output)
            _check_settings(ledger, settings, asked)
            # Asked before the source is looked at: what changes later is noticed when it is read.
            identity = source.identity()
            why = changed_output(ledger, paths.output)
            if why is None:
                # What was not committed goes first: everything else would take it for results.
                _open_sink(sink, ledger, note)
                if remove_superseded(ledger, paths.output, sink.rows, job.key):
                    _open_sink(sink, ledger, note)
                why = changed_source(ledger, source)
            _go_on(sink, why or ledger.output_length)
            if why:
                _take_up_by_key(why, job, ledger, source, paths, sink.rows, key_of, note)
                _open_sink(sink, ledger, note)
            ledger.begin_run(settings, identity)
            errors = ErrorsFile(paths.errors)
            if ledger.run == 1:
                _keep_strange(paths.errors, note)
            errors.rewrite(ledger.letters())
            store = FileStore(sink, ledger, errors, reruns=asked.only != "failed",
                              failed=job.retry_failed and asked.only != "reruns")  # fmt: skip
            yield OpenJob(store, ledger, sink, errors)
            if ledger.sound:
                _head_alone(ledger, sink)
                remove_superseded(ledger, paths.output, sink.rows, job.key)
        except BaseException:
            if ledger.sound and not ledger.settings:
                _forget(ledger, paths)
            raise
        finally:
            sink.close()
            ledger.close()


def _open_sink(sink: AppendedFile, ledger: SqliteLedger, note: Note) -> None:
    sink.close()
    with ledger.transaction():
        surplus = sink.open(ledger.output_length, ledger.output_crc)
    if surplus:
        note(f"cut {surplus} uncommitted bytes off {sink.path}")


def _go_on(sink: AppendedFile, stands: object) -> None:
    """Have rows written as those that stand in the output, if there are any."""
    if stands and sink.path.exists():
        sink.rows.go_on(pieces_of(sink.path), sink.name)


def _head_alone(ledger: SqliteLedger, sink: AppendedFile) -> None:
    """Give a job that is done and has no result what would stand before the first one."""
    done = ledger.source_complete and not ledger.pending
    if done and not ledger.output_length and sink.rows.head():
        ledger.commit(Commit(), lambda _: sink.begin())


def _keep_strange(errors: Path, note: Note) -> None:
    """A file that no run of this job has written is not to be overwritten."""
    if errors.exists() and errors.stat().st_size:
        note(f"kept {move_one_aside(errors)}, which is of another making")


def _forget(ledger: SqliteLedger, paths: JobPaths) -> None:
    """Leave no ledger behind for a job that was refused before it began."""
    ledger.close()
    with suppress(OSError):
        paths.ledger.unlink(missing_ok=True)


def _check_settings(ledger: SqliteLedger, settings: dict[str, Any], asked: Asked) -> None:
    error = changed_settings(ledger, settings, accept=asked.accept_changes)
    if error:
        raise error


def _take_up_by_key(
    why: str,
    job: Job,
    ledger: SqliteLedger,
    source: Source,
    paths: JobPaths,
    rows: RowFormat,
    key_of: Callable[[Any], str | int | None],
    note: Note,
) -> None:
    if job.key is None:
        raise without_key(why)
    found = rebuild(
        ledger, source, paths.output, rows, key=job.key, rerun_key=job.rerun_key, key_of=key_of
    )
    note(f"{why}; progress was rebuilt by {job.key!r}: {found}", "warning")
