"""The ledger of a job whose output is a file: what is settled, and how far the output counts."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.progress import Progress
from ..errors import CommitFailed, Fenced
from ..records import Commit, Counts, DeadLetter, Mark, Outcome, Region, Requeued
from ..report import Report
from ..version import __version__
from .errors_file import sound
from .marks import Marks
from .reading import AWAITED, LedgerState
from .schema import connect, connect_to_read, explaining

FETCH = 256
"""Dead letters read from the ledger at once."""


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class SqliteLedger(LedgerState):
    """The state of a job, in memory as of the last commit, and on disk.

    Opening raises the epoch, so that a run which was paused, or which got past the lock on some
    network file system, can commit no more.
    """

    def __init__(self, path: Path, name: str) -> None:
        db = connect(path)
        try:
            with explaining(path):
                db.execute("BEGIN IMMEDIATE")
                if not db.execute("SELECT 1 FROM job").fetchone():
                    _create(db, name)
                db.execute("UPDATE job SET epoch = epoch + 1")
                super().__init__(path, db)
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        self.sound = True
        """False once a step has failed: what is in memory may then be ahead of what is durable, and
        nothing is written any more."""

    def begin_run(self, settings: dict[str, Any], identity: dict[str, Any]) -> int:
        """Write down that a run begins; returns its number."""
        with self.transaction() as db:
            self.settings, self.source_identity = settings, identity
            self._store("settings", settings)
            self._store("source_identity", identity)
            self._store("output_identity", {})
            facts = (now_text(), socket.gethostname(), os.getpid(), __version__)
            cursor = db.execute(
                "INSERT INTO runs (started_at, host, pid, batchmill) VALUES (?, ?, ?, ?)", facts
            )
            self.run = int(cursor.lastrowid or 0)
        return self.run

    def end_run(self, report: Report, output_identity: dict[str, Any]) -> None:
        with self.transaction() as db:
            self._store("output_identity", output_identity)
            db.execute("UPDATE job SET source_complete = ?", (self.source_complete,))
            db.execute(
                "UPDATE runs SET ended_at = ?, report = ? WHERE id = ?",
                (now_text(), json.dumps(report.to_dict()), self.run),
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable step, during which no other run can take the job over.

        Nothing of it stands after an error; one of the disk is a CommitFailed.
        """
        if not self.sound:
            raise CommitFailed(f"{self.path} is written no more: an earlier step has failed")
        try:
            with explaining(self.path):
                self._db.execute("BEGIN IMMEDIATE")
                self._check_epoch()
                yield self._db
                self._db.execute("COMMIT")
        except BaseException:
            self.sound = False
            self._roll_back()
            raise

    def _check_epoch(self) -> None:
        stored = self._db.execute("SELECT epoch FROM job").fetchone()[0]
        if stored != self.epoch:
            raise Fenced(
                "another run has taken this job over",
                hint="nothing is lost: what this run had committed stands, and that run goes on",
            )

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _store(self, column: str, value: object) -> None:
        self._db.execute(f"UPDATE job SET {column} = ?", (json.dumps(value),))

    def commit(self, commit: Commit, append: Callable[[Sequence[Any]], Region]) -> None:
        """Have the results appended, then record where they stand, and all else the commit says.

        One step: a run that was taken over does not touch the output any more.
        """
        counts = replace(self.counts)
        counts.add(commit.counts)
        with self.transaction() as db:
            region = append(commit.chunks)
            for start, stop in commit.settled:
                self.progress.settle(start, stop)
            self.marks.add(commit.marks, self.progress.low_water)
            if commit.marks:
                self.source_complete = False
            self._write_letters(db, commit)
            self._grow_output(commit, region)
            self._write_job(db, counts)
        self.counts.add(commit.counts)

    def _write_letters(self, db: sqlite3.Connection, commit: Commit) -> None:
        db.executemany("DELETE FROM dead_letters WHERE seq = ?", _each(commit.resolved))
        db.executemany(
            "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*_row_of(letter), self.run) for letter in commit.dead_letters],
        )
        db.executemany(
            "INSERT INTO superseded SELECT seq, key, ? FROM reruns WHERE seq = ?",
            [(self.output_plain, seq) for seq in commit.replaced],
        )
        db.executemany("DELETE FROM reruns WHERE seq = ?", _each(commit.replaced))

    def _grow_output(self, commit: Commit, region: Region) -> None:
        if not region.length:
            return
        self.last_start, self.last_crc = region.start, self.output_crc
        self.output_length, self.output_crc = region.start + region.length, region.crc
        self.output_plain += commit.size + region.head

    def _write_job(self, db: sqlite3.Connection, counts: Counts) -> None:
        db.execute(
            "UPDATE job SET mark = ?, extent = ?, low_water = ?, ranges = ?, source_complete = ?,"
            " succeeded = ?, filtered = ?, failed = ?, blank = ?, output_length = ?,"
            " output_crc = ?, output_plain = ?, last_start = ?, last_crc = ?",
            (
                json.dumps(asdict(self.marks.resume)),
                json.dumps(asdict(self.marks.extent)),
                self.progress.low_water,
                json.dumps(self.progress.ranges),
                self.source_complete,
                counts.succeeded,
                counts.filtered,
                counts.failed,
                counts.blank,
                self.output_length,
                self.output_crc,
                self.output_plain,
                self.last_start,
                self.last_crc,
            ),
        )

    def rewrite(self, rewriting: dict[str, int], awaited: Iterable[tuple[str, int]]) -> None:
        """Say that an output of this length, crc and plain length is about to take its place.

        `awaited` tells, for the keys (as JSON) whose old results stay for now, before which plain
        offset they lie in the new output; what `superseded` names is no more.
        """
        with self.transaction() as db:
            db.execute(f"DELETE FROM superseded WHERE NOT {AWAITED}")
            places = ((before, key) for key, before in awaited)
            db.executemany("UPDATE superseded SET before = ? WHERE key = ?", places)
            self._begin_rewrite(rewriting)

    def _begin_rewrite(self, rewriting: dict[str, int]) -> None:
        self.rewriting = rewriting
        self._store("rewriting", rewriting)

    def end_rewrite(self, put_in_place: Callable[[], object]) -> None:
        """Have the new output put in its place, and say that it counts."""
        assert self.rewriting
        with self.transaction() as db:
            put_in_place()
            self._place_output(**self.rewriting)
            self._write_job(db, self.counts)
            db.execute("UPDATE job SET rewriting = NULL")
        self.rewriting = None

    @contextmanager
    def rebuilding(self, length: int, crc: int, plain: int) -> Iterator[None]:
        """Forget what is known of the records; the block is to say it anew, by `queue_reruns` and
        `restate`. The output counts as it lies there. All of it in one step."""
        with self.transaction() as db:
            for table in ("dead_letters", "reruns", "superseded"):
                db.execute(f"DELETE FROM {table}")
            self._place_output(length, crc, plain)
            yield

    def restate(
        self, progress: Progress, counts: Counts, marks: Marks, rewriting: dict[str, int] | None
    ) -> None:
        """Say what a rebuild has found, and whether a new output is to take the old one's place."""
        self.progress, self.counts, self.marks = progress, counts, marks
        self._write_job(self._db, counts)
        if rewriting:
            self._begin_rewrite(rewriting)

    def _place_output(self, length: int, crc: int, plain: int) -> None:
        """Say that the output, as it lies there, counts up to `length`."""
        self.output_length, self.output_crc, self.output_plain = length, crc, plain
        self.last_start, self.last_crc = 0, 0

    def queue_reruns(self, records: Iterable[tuple[int, object, bytes, Outcome]]) -> int:
        """Have these records (seq, key, raw, outcome so far) called again; returns how many."""
        rows = [(seq, json.dumps(key), raw, was) for seq, key, raw, was in records]
        with self._within_step() as db:
            db.executemany("INSERT OR REPLACE INTO reruns VALUES (?, ?, ?, ?)", rows)
        return len(rows)

    def _within_step(self) -> AbstractContextManager[sqlite3.Connection]:
        """The step that is under way, or one of its own."""
        return nullcontext(self._db) if self._db.in_transaction else self.transaction()

    def requeued(self, *, reruns: bool, failed: bool) -> Iterator[Requeued]:
        """Records marked to be run again, and those with a dead letter of an earlier run.

        Read page by page over a connection of its own, so that commits may go between.
        """
        with explaining(self.path), connect_to_read(self.path) as db:
            db.row_factory = sqlite3.Row
            for row in _paged(db, "SELECT * FROM reruns WHERE seq > ?") if reruns else ():
                yield Requeued(row["seq"], row["raw"], row["was"])
            earlier = (
                f"SELECT * FROM dead_letters WHERE complete AND run < {self.run:d} AND seq > ?"
            )
            for row in _paged(db, earlier) if failed else ():
                yield Requeued(row["seq"], row["raw"], attempts=row["attempts"],
                               first_at=row["first_at"])  # fmt: skip

    def close(self) -> None:
        self._db.close()


def _create(db: sqlite3.Connection, name: str) -> None:
    empty = json.dumps(asdict(Mark()))
    db.execute(
        "INSERT INTO job VALUES (1, ?, ?, '{}', 0, '{}', 0, ?, ?, 0, '[]',"
        " 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', NULL)",
        (name, now_text(), empty, empty),
    )


def _paged(db: sqlite3.Connection, query: str) -> Iterator[sqlite3.Row]:
    after = -1
    while rows := db.execute(f"{query} ORDER BY seq LIMIT {FETCH}", (after,)).fetchall():
        yield from rows
        after = rows[-1]["seq"]


def _each(seqs: Iterable[int]) -> list[tuple[int]]:
    return [(seq,) for seq in seqs]


def _row_of(letter: DeadLetter) -> tuple[Any, ...]:
    failure = letter.failure
    key = None if letter.key is None else json.dumps(letter.key)
    return (letter.seq, key, letter.raw, letter.complete, failure.type, sound(failure.message),
            sound(failure.traceback), letter.attempts, letter.first_at, letter.last_at)  # fmt: skip
