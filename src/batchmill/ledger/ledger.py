"""The ledger of a job whose output is a file: what is settled, and how far the output counts."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from ..core.job_state import JobState, OutputEnd
from ..core.progress import Progress
from ..errors import Changed, CommitFailed, Fenced
from ..records import Commit, Counts, DeadLetter, Outcome, Region, Requeued
from ..report import Report
from ..version import __version__
from .connecting import close, connect, explaining
from .errors_file import sound
from .marks import Marks
from .reading import AWAITED, LedgerState
from .remembered import Letters
from .requeued import RequeuedRecords, move
from .sealed import put


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
                    put(db, "job", [(1, 0, 0, JobState(name, now_text()).encoded())])
                super().__init__(path, db)
                self._raise_epoch()
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        self._file = os.stat(path)
        self._readers: list[RequeuedRecords] = []
        self.run = 0
        self.follows_a_kill = False
        """Whether the run before this one did not come to its end."""
        self.sound = True
        """False once a step has failed: what is in memory may then be ahead of what is durable, and
        nothing is written any more."""

    def _raise_epoch(self) -> None:
        self.epoch += 1
        self._write_state()

    def begin_run(
        self, settings: dict[str, Any], identity: dict[str, Any], source: str = ""
    ) -> int:
        """Write down that a run begins; returns its number. `source` is the path of its files."""
        facts = (now_text(), None, socket.gethostname(), os.getpid(), __version__, None)
        last = self.last_run()
        self.follows_a_kill = last is not None and last.ended_at is None
        with self.transaction() as db:
            self.state.settings, self.state.source_identity = settings, identity
            self.state.source_path, self.state.output_identity = source, {}
            self.run = int(db.execute("SELECT coalesce(max(id), 0) + 1 FROM runs").fetchone()[0])
            put(db, "runs", [(self.run, *facts)])
            self._write_state()
        return self.run

    def end_run(
        self, report: Report, output_identity: dict[str, Any], *, next_start_at: float = 0.0
    ) -> None:
        """Write down how the run ended, and when the pace lets the next call start."""
        with self.transaction() as db:
            self.state.output_identity = output_identity
            self.state.source_complete = report.source_complete
            self.state.next_start_at = next_start_at
            started = tuple(db.execute("SELECT * FROM runs WHERE id = ?", (self.run,)).fetchone())
            ended = (now_text(), *started[3:6], json.dumps(report.to_dict()))
            put(db, "runs", [(*started[:2], *ended)])
            self._write_state()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable step, during which no other run can take the job over.

        Nothing of it stands after an error; one of the disk is a CommitFailed. After any but a
        refusal (Changed) nothing more is written.
        """
        if not self.sound:
            raise CommitFailed(f"{self.path} is written no more: an earlier step has failed")
        try:
            with explaining(self.path):
                self._check_place()
                self._db.execute("BEGIN IMMEDIATE")
                self._check_epoch()
                yield self._db
                self._db.execute("COMMIT")
        except BaseException as error:
            self.sound = self.sound and isinstance(error, Changed)
            self._roll_back()
            raise

    def _check_place(self) -> None:
        """The name must still lead to the open file, or progress would go where nobody looks."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            there = None
        if there is None or not os.path.samestat(there, self._file):
            raise CommitFailed(
                f"{self.path} was replaced or deleted while the job was running",
                hint="put it back as it was; or, with a key, run again with --adopt: progress is"
                " found again in the output; --restart begins anew and keeps the old output",
            )

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

    def _write_state(self, counts: Counts | None = None) -> None:
        """Write down the state, with these counts, and what has changed of the outcomes, under the
        next number."""
        state = self.state
        put(self._db, "outcomes", self.progress.take_changed())
        state.low_water = self.progress.low_water
        state.resume, state.extent = self.marks.resume, self.marks.extent
        self.number += 1
        encoded = replace(state, counts=counts or state.counts).encoded()
        put(self._db, "job", [(1, self.number, self.epoch, encoded)])

    def commit(self, commit: Commit, append: Callable[[Sequence[Any]], Region]) -> None:
        """Have the results appended, then record where they stand, and all else the commit says.

        One step: a run that was taken over does not touch the output any more.
        """
        state = self.state
        counts = replace(state.counts)
        counts.add(commit.counts)
        with self.transaction() as db:
            region = append(commit.chunks)
            self._settle(commit)
            if commit.marks:
                state.source_complete = False
            self._write_letters(db, commit)
            self.note_rowless(commit.rowless)
            self._grow_output(commit, region)
            self._write_state(counts)
        state.counts.add(commit.counts)

    def _settle(self, commit: Commit) -> None:
        for start, stop, code in commit.settled:
            self.progress.settle(start, stop, code)
        for seq, code in commit.resettled:
            self.progress.settle(seq, seq + 1, code)
        self.marks.add(commit.marks, self.progress.low_water)

    def _write_letters(self, db: sqlite3.Connection, commit: Commit) -> None:
        db.executemany("DELETE FROM dead_letters WHERE seq = ?", _each(commit.resolved))
        put(db, "dead_letters", ((*_row_of(letter), self.run) for letter in commit.dead_letters))
        for seq in commit.replaced:
            rerun = db.execute("SELECT * FROM reruns WHERE seq = ?", (seq,)).fetchone()
            self._sound(f"the rerun of seq {seq}", rerun)
            if rerun["key"] is not None:
                put(db, "superseded", [(seq, rerun["key"], rerun["before"])])
        db.executemany("DELETE FROM reruns WHERE seq = ?", _each(commit.replaced))

    def note_rowless(self, records: Sequence[tuple[int, str | int]]) -> None:
        """Add the seqs and keys of records without rows, within the step that is under way."""
        if records:
            keys = zlib.compress(json.dumps(records).encode(), 1)
            last = self._db.execute("SELECT coalesce(max(id), 0) FROM rowless").fetchone()[0]
            put(self._db, "rowless", [(last + 1, keys)])

    def _grow_output(self, commit: Commit, region: Region) -> None:
        if not region.length:
            return
        end = self.state.output
        self.state.output = OutputEnd(region.start + region.length, region.crc,
                                      end.plain + commit.size + region.head,
                                      region.start, end.crc)  # fmt: skip

    def rewrite(self, rewriting: dict[str, int], waiting: Iterable[tuple[str, int]]) -> None:
        """Say that an output of this length, crc and plain length is about to take its place.

        `waiting` tells, for the keys (as JSON) whose old results stay for now, before which plain
        offset they lie in the new output; what `superseded` names is no more.
        """
        moved = dict(waiting)
        with self.transaction() as db:
            db.execute(f"DELETE FROM superseded WHERE NOT {AWAITED}")
            for table in ("superseded", "reruns"):
                move(db, table, moved)
            self.state.rewriting = rewriting
            self._write_state()

    def end_rewrite(self, put_in_place: Callable[[], object]) -> None:
        """Have the new output put in its place, and say that it counts."""
        rewriting = self.state.rewriting
        assert rewriting
        with self.transaction():
            put_in_place()
            self.state.output, self.state.rewriting = OutputEnd(**rewriting), None
            self._write_state()

    @contextmanager
    def rebuilding(self, length: int, crc: int, plain: int) -> Iterator[Letters]:
        """Forget what is known of the records; the block is to say it anew, by `queue_reruns`,
        `note_rowless`, the dead letters that it gets, and `restate`. The output counts as it lies
        there. All of it in one step."""
        with self.transaction() as db:
            letters = Letters(db)
            for table in ("reruns", "superseded", "outcomes", "rowless"):
                db.execute(f"DELETE FROM {table}")
            self.state.output = OutputEnd(length, crc, plain)
            yield letters
            letters.close()

    def restate(
        self, progress: Progress, counts: Counts, marks: Marks, rewriting: dict[str, int] | None
    ) -> None:
        """Say what a rebuild has found, and whether a new output is to take the old one's place."""
        self.progress, self.state.counts, self.marks = progress, counts, marks
        progress.older = self._older
        self.state.rewriting = rewriting
        self._write_state()

    def queue_reruns(
        self, records: Iterable[tuple[int, object, bytes, Outcome]], before: int
    ) -> int:
        """Have these records (seq, key, raw, outcome so far) called again, or none of them where an
        error comes between; returns how many.

        The results that they have lie before the plain offset `before` of the output.
        """
        numbers = count()
        rows = ((seq, None if key is None else json.dumps(key), raw, was, before)
                for (seq, key, raw, was), _ in zip(records, numbers, strict=False))  # fmt: skip
        with self._within_step() as db:
            put(db, "reruns", rows)
        return next(numbers)

    def _within_step(self) -> AbstractContextManager[sqlite3.Connection]:
        """The step that is under way, or one of its own."""
        return nullcontext(self._db) if self._db.in_transaction else self.transaction()

    def requeued(self, *, reruns: bool, failed: bool) -> Iterator[Requeued]:
        """Records marked to be run again, and those with a dead letter of an earlier run.

        Read page by page over a connection of its own, so that commits may go between.
        """
        reader = RequeuedRecords(self.path, self.run, reruns=reruns, failed=failed)
        self._readers.append(reader)
        return iter(reader)

    def close(self) -> None:
        """Close the ledger, and whoever reads it for this run: the last one out removes the log."""
        for reader in self._readers:
            reader.close()
        close(self._db)


def _each(seqs: Iterable[int]) -> list[tuple[int]]:
    return [(seq,) for seq in seqs]


def _row_of(letter: DeadLetter) -> tuple[Any, ...]:
    failure = letter.failure
    key = None if letter.key is None else json.dumps(letter.key)
    return (letter.seq, key, letter.raw, int(letter.complete), failure.type, sound(failure.message),
            sound(failure.traceback), letter.attempts, letter.first_at, letter.last_at)  # fmt: skip
