"""Ways to break the commit protocol, to prove that the crash tests would notice."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from batchmill.errors import CommitFailed
from batchmill.ledger import connecting, file_store, ledger
from batchmill.records import Region
from batchmill.sinks import appended


@contextmanager
def committed(names: Iterable[str]) -> Iterator[None]:
    """Break these things for good; the process is not to be used for anything else."""
    for name in names:
        _WAYS[name]()
    yield


def no_sync_of_results() -> None:
    os.fdatasync = lambda fd: None


def no_cut() -> None:
    appended.AppendedFile._cut_to = lambda self, length: 0


def ledger_first() -> None:
    def commit(self: Any, commit: Any) -> None:
        data = b"".join(commit.chunks)
        region = Region(self._sink._end, len(data), zlib.crc32(data, self._sink._crc))
        self.ledger.commit(commit, lambda _: region)
        self._sink.append(commit.chunks)
        self._errors.add(commit.dead_letters)

    file_store.FileStore.commit = commit


def no_epoch() -> None:
    ledger.SqliteLedger._check_epoch = lambda self: None


def no_watch() -> None:
    """What others do to the output is not noticed, which would stop a run that was taken over."""
    appended.AppendedFile.change = lambda self: None


def errors_swallowed() -> None:
    whole = appended.AppendedFile._write

    def write(self: Any, chunks: Any) -> None:
        with suppress(CommitFailed):
            whole(self, chunks)

    appended.AppendedFile._write = write


def impatient() -> None:
    """No sabotage: a ledger that another run holds is waited for a tenth of a second only."""
    connecting.BUSY_TIMEOUT_S = 0.1


_WAYS = {
    "no_sync_of_results": no_sync_of_results,
    "no_cut": no_cut,
    "ledger_first": ledger_first,
    "no_epoch": no_epoch,
    "no_watch": no_watch,
    "errors_swallowed": errors_swallowed,
    "impatient": impatient,
}
