"""What a ledger says: everything that can be asked without writing to it."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..core.job_state import JobState
from ..core.progress import BLOCK, Progress, counted
from ..errors import LedgerError
from ..records import Counts, DeadLetter, Failure, OutcomeCode
from .connecting import connect_to_read, damaged
from .marks import Marks
from .schema import FORMAT, NAMES, format_of
from .sealed import is_sound
from .upgrade import read_1

T = TypeVar("T")

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
    """The state of a job as of its last commit.

    The job's row is checked when it is opened, every other one when it is read: each method may
    raise LedgerError for a ledger that is damaged.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._db.row_factory = sqlite3.Row
        self.format = format_of(db)
        try:
            self._load()
        except (ValueError, TypeError, KeyError, sqlite3.DatabaseError) as error:
            raise damaged(path, error) from error

    def _load(self) -> None:
        if self.format < FORMAT:
            self.epoch, self.state, self.progress = read_1(self._db)
        else:
            row = self._db.execute("SELECT * FROM job").fetchone()
            row = self._sound("the row of the job", row)
            self.epoch, self.number = row["epoch"], row["number"]
            self.state = JobState.decoded(row["state"])
            self.progress = Progress(self.state.low_water, self._blocks(), self._older)
            self._check_sums()
        self.marks = Marks(self.state.resume, self.state.extent)

    def _blocks(self) -> dict[int, bytes]:
        """The blocks from the low-water mark on."""
        first = self.state.low_water // BLOCK
        rows = self._db.execute("SELECT * FROM outcomes WHERE block >= ?", (first,))
        return {row["block"]: self._codes(row) for row in rows}

    def _older(self, block: int) -> bytes | None:
        row = self._db.execute("SELECT * FROM outcomes WHERE block = ?", (block,)).fetchone()
        return self._codes(row) if row else None

    def _codes(self, row: sqlite3.Row) -> bytes:
        codes: bytes = self._sound(f"block {row['block']} of the outcomes", row)["codes"]
        return codes

    def _check_sums(self) -> None:
        tally = self.tally()
        problem = self.state.disagrees(tally)
        low_water = self.progress.low_water
        settled = sum(tally) - tally[OutcomeCode.PENDING]
        if self.progress.settled != settled or self.progress.next_pending(0) != low_water:
            problem = problem or f"seq {low_water:,} is not the first that is pending"
        if problem:
            raise ValueError(problem)

    def tally(self) -> list[int]:
        """How many records have each outcome, by code."""
        if self.format < FORMAT:
            return self.progress.tally()
        sums = [0] * len(OutcomeCode)
        for row in self._db.execute("SELECT * FROM outcomes"):
            for code, count in enumerate(counted(self._codes(row))):
                sums[code] += count
        return sums

    def _sound(self, what: str, row: sqlite3.Row) -> sqlite3.Row:
        """The row; raises LedgerError unless it is what was written."""
        if row is None or not is_sound(row):
            raise damaged(self.path, f"{what} is not what was written")
        return row

    def _read(self, read: Callable[[sqlite3.Row], T], what: str, row: sqlite3.Row) -> T:
        """What a row says. Rows of earlier formats have no checksum, and may hold anything."""
        try:
            return read(self._sound(what, row))
        except (ValueError, TypeError) as error:
            raise damaged(self.path, f"{what} cannot be read: {error}") from error

    @property
    def name(self) -> str:
        return self.state.name

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that matter, as of the last run."""
        return self.state.settings

    @property
    def counts(self) -> Counts:
        return self.state.counts

    @property
    def source_identity(self) -> dict[str, Any]:
        return self.state.source_identity

    @property
    def output_identity(self) -> dict[str, Any]:
        return self.state.output_identity

    @property
    def source_complete(self) -> bool:
        return self.state.source_complete

    @property
    def rewriting(self) -> dict[str, int] | None:
        return self.state.rewriting

    @property
    def output_length(self) -> int:
        return self.state.output.length

    @property
    def output_crc(self) -> int:
        return self.state.output.crc

    @property
    def output_plain(self) -> int:
        return self.state.output.plain

    @property
    def last_start(self) -> int:
        return self.state.output.last_start

    @property
    def last_crc(self) -> int:
        return self.state.output.last_crc

    @property
    def pending(self) -> int:
        """Records that were read and have no outcome yet. There may be others, never read."""
        return self.marks.extent.seq - self.counts.blank - self.counts.settled

    def letters(self, *, most: int = -1) -> Iterator[DeadLetter]:
        """The dead letters, in order of seq."""
        for row in self._db.execute("SELECT * FROM dead_letters ORDER BY seq LIMIT ?", (most,)):
            yield self._read(letter_of, f"the dead letter of seq {row['seq']}", row)

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

    def rowless_keys(self) -> Iterator[tuple[int, str, OutcomeCode]]:
        """Seq and key (as JSON) of records that are settled and have no rows, and why they have
        none, as far as they were noted: in a job with a key, since format 2. Some come twice."""
        if self.format < FORMAT:
            return
        for row in self._db.execute("SELECT * FROM rowless ORDER BY id"):
            keys = self._sound(f"part {row['id']} of the keys without rows", row)["keys"]
            for seq, key in json.loads(zlib.decompress(keys)):
                code = self.progress.code(seq)
                if code in (OutcomeCode.FILTERED, OutcomeCode.WITHOUT_ROWS):
                    yield seq, json.dumps(key), code

    def superseded(self) -> dict[str, int]:
        """Keys (as JSON) of results that were replaced, and before which plain offset they lie.

        Results tell their key and not their record: while another record of the same key has yet
        to be called again, none of the key's old results is given up.
        """
        return self._before("superseded", f"NOT {AWAITED}")

    def waiting_before(self) -> dict[str, int]:
        """The same of the others: of keys whose old results must stay, because a record of theirs
        has yet to be called again."""
        awaited, reruns = self._before("superseded", AWAITED), self._before("reruns", "key NOTNULL")
        return {key: min(awaited.get(key, before), before) for key, before in reruns.items()}

    def _before(self, table: str, which: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in self._db.execute(f"SELECT * FROM {table} WHERE {which}"):
            self._sound(f"the {table} row of seq {row['seq']}", row)
            before = row["before"] if "before" in row.keys() else self.output_plain  # noqa: SIM118
            found[row["key"]] = min(found.get(row["key"], before), before)
        return found

    def awaited(self) -> int:
        """How many results were replaced and must stay until others of their key are, too."""
        return self._count(f"superseded WHERE {AWAITED}")

    def runs(self) -> Iterator[Run]:
        """The history, from the last run to the first."""
        for row in self._db.execute("SELECT * FROM runs ORDER BY id DESC"):
            yield self._read(_run_of, f"run {row['id']}", row)

    def last_run(self) -> Run | None:
        return next(self.runs(), None)

    def problems(self) -> list[str]:
        """What is wrong with the file itself: what SQLite finds, and rows that are not what was
        written. Reads all of it."""
        found = [text for (text,) in self._db.execute("PRAGMA integrity_check")]
        if found != ["ok"] or self.format < FORMAT:
            return [] if found == ["ok"] else found
        unsound = {table: self._unsound(table) for table in sorted(NAMES)}
        return [f"{count:,} rows of {table} are not what was written"
                for table, count in unsound.items() if count]  # fmt: skip

    def _unsound(self, table: str) -> int:
        return sum(not is_sound(row) for row in self._db.execute(f"SELECT * FROM {table}"))

    @property
    def db(self) -> sqlite3.Connection:
        """For questions that are asked in one place only."""
        return self._db


@contextmanager
def read_ledger(path: Path) -> Iterator[LedgerState]:
    """The ledger as of one moment, for as long as the block lasts, whether its job runs or not.

    Nothing is written. Raises LedgerError: not there, cannot be read, damaged, from a newer
    version.
    """
    with connect_to_read(path) as db:
        db.execute("BEGIN")
        if not db.execute("SELECT 1 FROM job").fetchone():
            raise LedgerError(f"{path} knows of no run", hint="the job has not run yet")
        yield LedgerState(path, db)


def _run_of(row: sqlite3.Row) -> Run:
    report = json.loads(row["report"]) if row["report"] else None
    return Run(row["id"], row["started_at"], row["ended_at"], row["host"], row["pid"],
               row["batchmill"], report)  # fmt: skip


def letter_of(row: sqlite3.Row) -> DeadLetter:
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
