"""What holds from the moment a job with a results file is taken up until it is let go?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..errors import BatchmillError, CommitFailed
from ..files.lock import job_lock
from ..job import Job
from ..paths import JobPaths
from ..protocols import Source
from ..records import Commit
from ..sinks.appended import AppendedFile
from .aside import finish_moving, move_aside, move_one_aside
from .connecting import explaining
from .errors_file import ErrorsFile
from .file_store import FileStore
from .ledger import SqliteLedger
from .rewrite import remove_superseded
from .taking_up import Asked, Note, TakingUp

__all__ = ["Asked", "OpenJob", "open_job"]


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
    paths = JobPaths.of(job.sink, job.errors).on_disk()
    with job_lock(paths.lock), explaining(paths.ledger):
        errors = ErrorsFile(paths.errors)
        _tidy(paths, errors, note, restart=asked.restart)
        ledger = SqliteLedger(paths.ledger, name)
        try:
            identity = TakingUp(job, source, sink, settings, key_of, asked, note, ledger).take_up()
            ledger.begin_run(settings, identity, _path_of(job.source))
            _keep_strange(errors, note, first=ledger.run == 1)
            errors.rewrite(ledger.letters())
            store = FileStore(sink, ledger, errors, reruns=asked.only != "failed",
                              failed=job.retry_failed and asked.only != "reruns")  # fmt: skip
            yield OpenJob(store, ledger, sink, errors)
            if ledger.sound and _is_ours(sink):
                _head_alone(ledger, sink)
                remove_superseded(ledger, paths.output, sink.rows, job.key)
        except BaseException:
            if ledger.sound and not ledger.settings:
                _forget(ledger, paths)
            raise
        finally:
            sink.close()
            ledger.close()


def _path_of(source: object) -> str:
    """The path of a source that is made of files, wherever the process may go."""
    return os.path.abspath(source) if isinstance(source, str | os.PathLike) else ""  # noqa: PTH100


def _tidy(paths: JobPaths, errors: ErrorsFile, note: Note, *, restart: bool) -> None:
    """Bring to its end what killed runs had begun, and put the old files aside if asked to."""
    for moved in move_aside(paths) if restart else finish_moving(paths):
        note(f"kept {moved}")
    errors.tidy()


def _is_ours(sink: AppendedFile) -> bool:
    """Whether nobody else has changed the output. What keeps that from being known was said when
    the run's end was written down."""
    try:
        return sink.change() is None
    except CommitFailed:
        return False


def _head_alone(ledger: SqliteLedger, sink: AppendedFile) -> None:
    """Give a job that is done and has no result what would stand before the first one."""
    done = ledger.source_complete and not ledger.pending
    if done and not ledger.output_length and sink.rows.head():
        ledger.commit(Commit(), lambda _: sink.begin())


def _keep_strange(errors: ErrorsFile, note: Note, *, first: bool) -> None:
    """A file that no run of this job has written is not to be overwritten: before the first run
    none has, and later the errors file may have been given another place."""
    path = errors.path
    if errors.is_strange() or (first and path.exists() and path.stat().st_size):
        note(f"kept {move_one_aside(path)}, which is of another making")


def _forget(ledger: SqliteLedger, paths: JobPaths) -> None:
    """Leave no ledger behind for a job that was refused before it began, unless another run has
    taken it over meanwhile: then it is that run's."""
    try:
        with ledger.transaction() as db:
            taken = db.execute("SELECT 1 FROM runs").fetchone()
    except BatchmillError:
        return
    ledger.close()
    if not taken:
        with suppress(OSError):
            paths.ledger.unlink(missing_ok=True)
