"""A job's results file, ledger and errors file, committed as one."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Commit, Requeued
from ..sinks.appended import AppendedFile
from .errors_file import ErrorsFile
from .ledger import SqliteLedger


class FileStore:
    """The commit protocol of a single output file (ARCHITECTURE.md).

    First the results are appended and synced, then the ledger says that they count. A crash between
    the two leaves bytes behind the committed end, which the next run cuts off. The errors file is a
    copy of the ledger's dead letters for people, brought up to date at every start and end.
    """

    def __init__(
        self,
        sink: AppendedFile,
        ledger: SqliteLedger,
        errors: ErrorsFile,
        *,
        reruns: bool = True,
        failed: bool = True,
    ) -> None:
        self.ledger = ledger
        self.progress = ledger.progress
        self.counts = ledger.counts
        self._sink = sink
        self._errors = errors
        self._reruns = reruns
        self._failed = failed

    def commit(self, commit: Commit) -> None:
        self.check()
        self.ledger.commit(commit, self._sink.append)
        self._errors.add(commit.dead_letters)

    def check(self) -> None:
        """Raises CommitFailed if somebody else has changed the output, and Fenced if that was
        another run. Asked before the ledger is touched, which can then still say how the run
        ended."""
        if self._sink.change():
            with self.ledger.transaction():  # begins only if the job is still this run's
                pass
            self._sink.check()

    def requeued(self) -> Iterator[Requeued]:
        return self.ledger.requeued(reruns=self._reruns, failed=self._failed)
