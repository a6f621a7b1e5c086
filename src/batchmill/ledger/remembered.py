"""What a ledger still knows of records without a result when progress is found again by key."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator

from ..formats.rows import RowFormat
from ..records import OutcomeCode
from .reading import LedgerState
from .sealed import put

_TABLES = """
CREATE TABLE rowless (
  seq INTEGER PRIMARY KEY, key TEXT NOT NULL, code INTEGER NOT NULL,
  rerun INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE letters (seq INTEGER PRIMARY KEY, print INTEGER NOT NULL);
"""
_INDEXES = """
CREATE INDEX rowless_key ON rowless (key);
CREATE INDEX letters_print ON letters (print);
"""


class Remembered:
    """Filtered records and those with an empty list of results, by their key; dead letters, by the
    bytes of their record, so that one that was mended is called again. Each is found once.

    Kept in the temporary database `db` on disk, so memory does not grow with them.
    """

    def __init__(self, db: sqlite3.Connection, ledger: LedgerState, rows: RowFormat) -> None:
        """Keys are compared as results of the format `rows` would show them."""
        self._db = db
        db.executescript(_TABLES)
        db.executemany("INSERT OR REPLACE INTO rowless (seq, key, code) VALUES (?, ?, ?)",
                       _rowless(ledger, rows))  # fmt: skip
        marked = ((seq,) for seq in ledger.rerun_seqs())
        db.executemany("UPDATE rowless SET rerun = 1 WHERE seq = ?", marked)
        db.executemany("INSERT INTO letters VALUES (?, ?)", _prints(ledger))
        db.executescript(_INDEXES)

    def without_rows(self, key: str) -> tuple[OutcomeCode, bool] | None:
        """The outcome of a record with this key (as JSON) that had no rows, and whether it waits to
        be called again."""
        query = "SELECT seq, code, rerun FROM rowless WHERE key = ? ORDER BY seq LIMIT 1"
        row = self._db.execute(query, (key,)).fetchone()
        if row is None:
            return None
        self._db.execute("DELETE FROM rowless WHERE seq = ?", (row[0],))
        return OutcomeCode(row[1]), bool(row[2])

    def failed(self, raw: bytes) -> int | None:
        """The seq that a dead letter of a record with these bytes, more or less surely, has."""
        query = "SELECT seq FROM letters WHERE print = ? ORDER BY seq LIMIT 1"
        row = self._db.execute(query, (_print_of(raw),)).fetchone()
        return None if row is None else int(row[0])

    def take(self, seq: int) -> None:
        """The dead letter of this seq has found its record."""
        self._db.execute("DELETE FROM letters WHERE seq = ?", (seq,))


def _rowless(ledger: LedgerState, rows: RowFormat) -> Iterator[tuple[int, str, OutcomeCode]]:
    for seq, key, code in ledger.rowless_keys():
        yield seq, json.dumps(rows.key(json.loads(key))), code


def _prints(ledger: LedgerState) -> Iterator[tuple[int, int]]:
    for letter in ledger.letters():
        yield letter.seq, _print_of(letter.raw)


def _print_of(raw: bytes) -> int:
    return zlib.crc32(raw) << 31 | len(raw) & 0x7FFFFFFF


class Letters:
    """The dead letters of the ledger, set aside until they have found their records again.

    To be used within one transaction; those that found none are gone at its end.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute("CREATE TEMP TABLE aside AS SELECT * FROM dead_letters")
        db.execute("CREATE UNIQUE INDEX temp.aside_seq ON aside (seq)")
        db.execute("DELETE FROM dead_letters")

    def move(self, before: int, seq: int, raw: bytes) -> bool:
        """Make the dead letter that `before` had that of `seq`, if it is of these bytes."""
        query = "SELECT * FROM aside WHERE seq = ? AND complete AND raw = ?"
        row = self._db.execute(query, (before, raw)).fetchone()
        if row is not None:
            put(self._db, "dead_letters", [(seq, *tuple(row)[1:-1])])
        return row is not None

    def close(self) -> None:
        self._db.execute("DROP TABLE temp.aside")
