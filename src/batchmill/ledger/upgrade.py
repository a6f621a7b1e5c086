"""Ledgers of earlier formats: what they say, and how they become one of today's."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ..core.job_state import JobState, OutputEnd
from ..core.progress import Progress
from ..files.durable import sync_folder, writing
from ..records import Counts, Mark, OutcomeCode
from .schema import create
from .sealed import put

TABLES_OF_1 = frozenset({"job", "dead_letters", "reruns", "superseded", "runs", "samples"})

Row = tuple[object, ...]

_SAME = ("dead_letters", "runs")
"""Tables that have gained nothing but a checksum."""


def upgrade(db: sqlite3.Connection, path: Path) -> None:
    """Turn a ledger of format 1 into one of today's, in one transaction, after keeping a copy of it
    as `out.ledger.v1`. A crash at any step leaves the one or the other.

    Raises ValueError, TypeError or KeyError for what makes no sense.
    """
    keep_copy(db, path.with_name(f"{path.name}.v1"))
    db.execute("BEGIN IMMEDIATE")
    epoch, state, progress = read_1(db)
    for table in TABLES_OF_1:
        db.execute(f"ALTER TABLE {table} RENAME TO {table}_of_1")
    create(db)
    put(db, "job", [(1, 0, epoch, state.encoded())])
    if problem := state.disagrees(progress.tally()):
        raise ValueError(problem)
    put(db, "outcomes", progress.take_changed())
    for table in _SAME:
        _carry_over(db, table, lambda row: row)
    # What was marked under format 1 does not say which rows there were then: all that there are.
    _carry_over(db, "reruns", lambda row: (*row, state.output.plain))
    _carry_over(db, "superseded", lambda row: row)
    for table in TABLES_OF_1:
        db.execute(f"DROP TABLE {table}_of_1")
    db.execute("COMMIT")


def keep_copy(db: sqlite3.Connection, copy: Path) -> None:
    """A copy of the ledger as it is now, complete by itself, under this name."""
    unfinished = copy.with_name(f"{copy.name}.tmp")
    with writing(copy):
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(unfinished)) as target:
            db.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, copy)
        sync_folder(copy.parent)


def _carry_over(db: sqlite3.Connection, table: str, as_today: Callable[[Row], Row]) -> None:
    rows = db.execute(f"SELECT * FROM {table}_of_1")
    while piece := rows.fetchmany(1000):
        put(db, table, [as_today(tuple(row)) for row in piece])


def read_1(db: sqlite3.Connection) -> tuple[int, JobState, Progress]:
    """Epoch, state and progress that a ledger of format 1 tells. Raises ValueError, TypeError or
    KeyError for what makes no sense."""
    cursor = db.execute("SELECT * FROM job")
    row = dict(zip([name for name, *_ in cursor.description], cursor.fetchone(), strict=True))
    progress = Progress()
    for start, stop in ((0, row["low_water"]), *json.loads(row["ranges"])):
        progress.settle(start, stop, OutcomeCode.UNKNOWN)
    for (seq,) in db.execute("SELECT seq FROM dead_letters"):
        progress.settle(seq, seq + 1, OutcomeCode.FAILED)
    rewriting = row["rewriting"]
    state = JobState(
        name=row["name"],
        created_at=row["created_at"],
        settings=json.loads(row["settings"]),
        source_identity=json.loads(row["source_identity"]),
        source_complete=bool(row["source_complete"]),
        resume=Mark(**json.loads(row["mark"])),
        extent=Mark(**json.loads(row["extent"])),
        low_water=progress.low_water,
        counts=Counts(row["succeeded"], row["filtered"], row["failed"], row["blank"]),
        output=OutputEnd(row["output_length"], row["output_crc"], row["output_plain"],
                         row["last_start"], row["last_crc"]),
        output_identity=json.loads(row["output_identity"]),
        rewriting=json.loads(rewriting) if rewriting else None,
    )  # fmt: skip
    return row["epoch"], state, progress
