"""What does a ledger say? Everything that can be asked without writing to it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.progress import Progress
from ..errors import LedgerError
from ..records import Counts, DeadLetter, Failure, Mark
from .marks import Marks
from .schema import connect_to_read, damaged

AWAITED = "key IN (SELECT key FROM reruns WHERE key IS NOT NULL)"
"""Of results that were replaced: another record of the same key has yet to be called again."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run in the history. Times are ISO 8601 in UTC."""

    number: int
    started_at: str
    ended_at: str | None
    """None while it runs, and for ever if it was killed."""
    host: str
    pid: int
    version: str
    report: dict[str, Any] | None


class LedgerState:
    """The state of a job as of its last commit. Raises LedgerError for a ledger that is damaged."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._db.row_factory = sqlite3.Row
        self._load()

    def _load(self) -> None:
        try:
            row = dict(self._db.execute("SELECT * FROM job").fetchone())
            self.progress = Progress(row["low_water"], json.loads(row["ranges"]))
            self.marks = Marks(Mark(**json.loads(row["mark"])), Mark(**json.loads(row["extent"])))
            self.settings: dict[str, Any] = json.loads(row["settings"])
            self.source_identity: dict[str, Any] = json.loads(row["source_identity"])
            self.output_identity: dict[str, Any] = json.loads(row["output_identity"])
            rewriting = row["rewriting"]
            self.rewriting: dict[str, int] | None = json.loads(rewriting) if rewriting else None
        except (ValueError, TypeError, sqlite3.DatabaseError) as error:
            raise damaged(self.path, error) from error
        self.name: str = row["name"]
        self.counts = Counts(row["succeeded"], row["filtered"], row["failed"], row["blank"])
        self.source_complete = bool(row["source_complete"])
        self.output_length: int = row["output_length"]
        self.output_crc: int = row["output_crc"]
        self.output_plain: int = row["output_plain"]
        self.last_start: int = row["last_start"]
        self.last_crc: int = row["last_crc"]
        self.epoch: int = row["epoch"]

    @property
    def pending(self) -> int:
        """Records that were read and have no outcome yet. There may be others, never read."""
        return self.marks.extent.seq - self.counts.blank - self.counts.settled

    def letters(self, *, most: int = -1) -> Iterator[DeadLetter]:
        """The dead letters, in order of seq."""
        for row in self._db.execute("SELECT * FROM dead_letters ORDER BY seq LIMIT ?", (most,)):
            yield _letter_of(row)

    def failed_seqs(self) -> Iterator[int]:
        """The seqs of the dead letters, in order."""
        for (seq,) in self._db.execute("SELECT seq FROM dead_letters ORDER BY seq"):
            yield seq

    def has_failed(self, seq: int) -> bool:
        query = "SELECT 1 FROM dead_letters WHERE seq = ?"
        return self._db.execute(query, (seq,)).fetchone() is not None

    def retryable(self) -> int:
        """How many dead letters can be called again: those whose record was kept whole."""
        return self._count("dead_letters WHERE complete")

    def rerun_seqs(self) -> Iterator[int]:
        """The seqs of the records that are to be run again, in order."""
        for (seq,) in self._db.execute("SELECT seq FROM reruns ORDER BY seq"):
            yield seq

    def reruns(self) -> int:
        """How many records are to be run again."""
        return self._count("reruns")

    def _count(self, rows: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {rows}").fetchone()[0])

    def superseded(self) -> dict[str, int]:
        """Keys (as JSON) of results that were replaced, and before which plain offset they lie.

        Results tell their key and not their record: while another record of the same key has yet
        to be called again, none of the key's old results is given up.
        """
        return dict(
            self._db.execute(
                f"SELECT key, min(before) FROM superseded WHERE NOT {AWAITED} GROUP BY key"
            ).fetchall()
        )

    def awaited_before(self) -> dict[str, int]:
        """Those of the others: keys whose old results must stay until all of their records have
        been called again."""
        return dict(
            self._db.execute(
                f"SELECT key, min(before) FROM superseded WHERE {AWAITED} GROUP BY key"
            ).fetchall()
        )

    def awaited(self) -> int:
        """How many results were replaced and must stay until others of their key are, too."""
        return self._count(f"superseded WHERE {AWAITED}")

    def runs(self) -> Iterator[Run]:
        """The history, from the last run to the first."""
        for row in self._db.execute("SELECT * FROM runs ORDER BY id DESC"):
            yield _run_of(row)

    def last_run(self) -> Run | None:
        return next(self.runs(), None)

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file itself."""
        found = [text for (text,) in self._db.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    @property
    def db(self) -> sqlite3.Connection:
        """For questions that are asked in one place only."""
        return self._db


@contextmanager
def read_ledger(path: Path) -> Iterator[LedgerState]:
    """The ledger as of one moment, for as long as the block lasts, whether its job runs or not.

    Nothing is written. Raises LedgerError: not there, damaged, from a newer version.
    """
    with connect_to_read(path) as db:
        try:
            db.execute("BEGIN")
            if not db.execute("SELECT 1 FROM job").fetchone():
                raise LedgerError(f"{path} knows of no run", hint="the job has not run yet")
            state = LedgerState(path, db)
        except sqlite3.DatabaseError as error:
            raise damaged(path, error) from error
        yield state


def _run_of(row: sqlite3.Row) -> Run:
    report = json.loads(row["report"]) if row["report"] else None
    return Run(row["id"], row["started_at"], row["ended_at"], row["host"], row["pid"],
               row["batchmill"], report)  # fmt: skip


def _letter_of(row: sqlite3.Row) -> DeadLetter:
    return DeadLetter(
        seq=row["seq"],
        raw=row["raw"],
        failure=Failure(row["type"], row["message"], row["traceback"], ()),
        attempts=row["attempts"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        key=json.loads(row["key"]) if row["key"] else None,
        complete=bool(row["complete"]),
    )
