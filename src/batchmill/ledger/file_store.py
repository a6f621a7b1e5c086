"""A job's results file, ledger and errors file, committed as one."""

from __future__ import annotations

from collections.abc import Iterator

from ..protocols import Sink
from ..records import Commit, Requeued
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
        sink: Sink,
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
        self.ledger.commit(commit, self._sink.append)
        self._errors.add(commit.dead_letters)

    def requeued(self) -> Iterator[Requeued]:
        return self.ledger.requeued(reruns=self._reruns, failed=self._failed)
