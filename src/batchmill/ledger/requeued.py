"""The records of earlier runs that are to be called again, read while commits go between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..records import Requeued
from .connecting import damaged, explaining
from .sealed import is_sound, put

FETCH = 256
"""Most records that are read at once,"""
FETCH_BYTES = 4 << 20
"""or as few as hold so many bytes, but for one."""


class RequeuedRecords:
    """Records marked to be run again, then those with a dead letter of a run before `run`."""

    def __init__(self, path: Path, run: int, *, reruns: bool, failed: bool) -> None:
        self._path = path
        self._run = run
        self._reruns = reruns
        self._failed = failed
        self._db: sqlite3.Connection | None = None

    def __iter__(self) -> Iterator[Requeued]:
        with explaining(self._path):
            self._db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            for row in self._rows("reruns", "1") if self._reruns else ():
                yield Requeued(row["seq"], row["raw"], row["was"])
            earlier = f"complete AND run < {self._run:d}"
            for row in self._rows("dead_letters", earlier) if self._failed else ():
                yield Requeued(row["seq"], row["raw"], attempts=row["attempts"],
                               first_at=row["first_at"])  # fmt: skip
        self.close()

    def _rows(self, table: str, which: str) -> Iterator[sqlite3.Row]:
        query = f"SELECT * FROM {table} WHERE {which} AND seq > ? ORDER BY seq LIMIT {FETCH}"
        after: int | None = -1
        while after is not None and self._db is not None:
            page = self._page(query, after)
            after = page[-1]["seq"] if page else None
            for row in page:
                self._check(table, row)
                yield row

    def _check(self, table: str, row: sqlite3.Row) -> None:
        if not is_sound(row):
            raise damaged(self._path, f"seq {row['seq']} of {table} is not what was written")

    def _page(self, query: str, after: int) -> list[sqlite3.Row]:
        assert self._db
        rows = self._db.execute(query, (after,))
        page: list[sqlite3.Row] = []
        size = 0
        while size < FETCH_BYTES and (row := rows.fetchone()):
            page.append(row)
            size += len(row["raw"])
        rows.close()
        return page

    def close(self) -> None:
        """Read nothing more."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None


def move(db: sqlite3.Connection, table: str, before: dict[str, int]) -> None:
    """Write down before which plain offset the rows of these keys now lie. Row by row: each of them
    may hold a record."""
    query = f"SELECT * FROM {table} WHERE key NOTNULL AND seq > ? ORDER BY seq LIMIT 1"
    seq = -1
    while row := db.execute(query, (seq,)).fetchone():
        seq = row["seq"]
        if before.get(row["key"], row["before"]) != row["before"]:
            put(db, table, [(*tuple(row)[:-2], before[row["key"]])])
