"""The ledger's tables, and how a ledger file is opened."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..errors import CommitFailed, LedgerError
from ..files.durable import commit_failed

FORMAT = 1
"""Version of the tables. A ledger of a higher one was written by a newer batchmill."""

BUSY_TIMEOUT_S = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS job (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL,
  created_at TEXT NOT NULL,
  settings TEXT NOT NULL,            -- JSON: the settings that matter
  epoch INTEGER NOT NULL,            -- raised by every run; a commit must carry the current one
  source_identity TEXT NOT NULL,     -- JSON: cheap facts of the source
  source_complete INTEGER NOT NULL,  -- whether some run has read the source to its end
  mark TEXT NOT NULL,                -- JSON: where reading goes on; the low-water mark's block
  extent TEXT NOT NULL,              -- JSON: how far the source was ever read
  low_water INTEGER NOT NULL,
  ranges TEXT NOT NULL,              -- JSON: settled ranges beyond the low-water mark
  succeeded INTEGER NOT NULL,
  filtered INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  blank INTEGER NOT NULL,
  output_length INTEGER NOT NULL,    -- committed end of the output, in bytes
  output_crc INTEGER NOT NULL,       -- CRC-32 of all of it
  output_plain INTEGER NOT NULL,     -- the same length before compression
  last_start INTEGER NOT NULL,       -- where the last commit began to append
  last_crc INTEGER NOT NULL,         -- CRC-32 of all of the output before that
  output_identity TEXT NOT NULL,     -- JSON: size and time of the output when the last run ended
  rewriting TEXT                     -- JSON: a rewrite of the output that is under way
) STRICT;
CREATE TABLE IF NOT EXISTS dead_letters (
  seq INTEGER PRIMARY KEY,
  key TEXT,                          -- JSON
  raw BLOB NOT NULL,
  complete INTEGER NOT NULL,
  type TEXT NOT NULL,
  message TEXT NOT NULL,
  traceback TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  run INTEGER NOT NULL               -- the run that wrote it
) STRICT;
CREATE TABLE IF NOT EXISTS reruns (
  seq INTEGER PRIMARY KEY,
  key TEXT,
  raw BLOB NOT NULL,
  was TEXT NOT NULL                  -- its outcome, which stands until the new one is there
) STRICT;
CREATE TABLE IF NOT EXISTS superseded (
  seq INTEGER NOT NULL,
  key TEXT NOT NULL,
  before INTEGER NOT NULL            -- lines of this key before this (plain) offset are to go
) STRICT;
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  batchmill TEXT NOT NULL,
  report TEXT                        -- JSON
) STRICT;
CREATE TABLE IF NOT EXISTS samples (
  run INTEGER NOT NULL,
  elapsed_s REAL NOT NULL,
  succeeded INTEGER NOT NULL,
  filtered INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  retries INTEGER NOT NULL
) STRICT;
"""

_NAMES = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", _TABLES)
_CREATE = f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"


def connect(path: Path) -> sqlite3.Connection:
    """Open a ledger for its run, the only writer, making it if it is not there. Never a link."""
    if path.is_symlink():
        raise LedgerError(f"{path} is a link, which is not followed",
                          hint="take the link away, or put what it leads to in its place",
                          )  # fmt: skip
    with explaining(path):
        db = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    try:
        with explaining(path):
            empty = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            if not empty:
                check_format(db, path)
                _check_sound(db, path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            if empty:
                db.executescript(_CREATE)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(path: Path) -> closing[sqlite3.Connection]:
    """Open a ledger without ever writing to it, whether its job runs, ended or was killed."""
    if not path.exists():
        raise LedgerError(f"{path} is not there", hint="the job has not run yet")
    file = path.resolve()
    # Without a log beside it nobody has it open; SQLite would make one, and leave it there.
    how = "mode=ro" if Path(f"{file}-wal").exists() else "mode=ro&immutable=1"
    with explaining(path):
        db = sqlite3.connect(f"{file.as_uri()}?{how}", uri=True, timeout=BUSY_TIMEOUT_S)
    try:
        with explaining(path):
            if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                raise LedgerError(f"{path} knows of no run", hint="the job has not run yet")
            check_format(db, path)
    except BaseException:
        db.close()
        raise
    return closing(db)


def check_format(db: sqlite3.Connection, path: Path) -> None:
    """Raises LedgerError unless this version of batchmill knows these tables."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise LedgerError(
            f"{path} was written by a newer batchmill (format {version}, known up to {FORMAT})",
            hint="pip install --upgrade batchmill",
        )
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    if version != FORMAT or not tables.issuperset(_NAMES):
        raise damaged(path, "it holds other tables")


def _check_sound(db: sqlite3.Connection, path: Path) -> None:
    """Raises LedgerError for pages that hold something else. Reads all of the ledger, which the
    dead letters make as large as it is."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(path, found)


_OUTSIDE = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_PROTOCOL}  # fmt: skip
"""Errors of SQLite whose cause is not what the file holds."""


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into a CommitFailed if the disk is to blame, or another process that
    holds the ledger, and into a LedgerError if the ledger is."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise CommitFailed(f"{path} is held by another process",
                               hint="end it (another run of this job, a tool that has the ledger"
                               " open) and run again") from error  # fmt: skip
        if code in _OUTSIDE:
            number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
            raise commit_failed(path, OSError(number, str(error))) from error
        raise damaged(path, error) from error


def damaged(path: Path, why: object) -> LedgerError:
    return LedgerError(
        f"{path} is damaged or no ledger: {why}",
        hint="with a key, move it away and run again with --adopt: progress is found again in the"
        " output; without one, --restart begins anew and keeps the old output",
    )
