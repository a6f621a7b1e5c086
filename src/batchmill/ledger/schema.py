"""The ledger's tables."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache

FORMAT = 2
"""Version of the tables. A ledger of a higher one was written by a newer batchmill."""

TABLES = """
CREATE TABLE IF NOT EXISTS job (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL,           -- raised by every commit
  epoch INTEGER NOT NULL,            -- raised by every run; a commit must carry the current one
  state BLOB NOT NULL,               -- JSON (core/job_state.py)
  checksum INTEGER NOT NULL          -- CRC-32 of the columns before it, as in every table
) STRICT;
CREATE TABLE IF NOT EXISTS outcomes (
  block INTEGER PRIMARY KEY,         -- seq // 16384
  codes BLOB NOT NULL,               -- what became of each record of it (core/progress.py)
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS rowless (
  id INTEGER PRIMARY KEY,
  keys BLOB NOT NULL,                -- JSON, deflated: seq and key of records without rows
  checksum INTEGER NOT NULL
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
  run INTEGER NOT NULL,              -- the run that wrote it
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS reruns (
  seq INTEGER PRIMARY KEY,
  key TEXT,                          -- JSON
  raw BLOB NOT NULL,
  was TEXT NOT NULL,                 -- its outcome, which stands until the new one is there
  before INTEGER NOT NULL,           -- its rows lie before this (plain) offset of the output
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS superseded (
  seq INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  before INTEGER NOT NULL,           -- rows of this key before this (plain) offset are to go
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  batchmill TEXT NOT NULL,
  report TEXT,                       -- JSON
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS samples (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  facts TEXT NOT NULL,               -- JSON: how the run went at one moment
  checksum INTEGER NOT NULL
) STRICT;
"""

NAMES = frozenset(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", TABLES))


def create(db: sqlite3.Connection) -> None:
    """Make the tables, within the transaction that is under way. What SQLite keeps of them does not
    depend on comments and spaces, since it is compared with when a ledger is opened."""
    bare = re.sub(r"--.*", "", TABLES)
    for statement in bare.split(";"):
        db.execute(" ".join(statement.split()))
    db.execute(f"PRAGMA user_version = {FORMAT}")


@cache
def statements() -> frozenset[str]:
    """The tables as SQLite writes them down."""
    with closing(sqlite3.connect(":memory:")) as db:
        create(db)
        return statements_of(db)


def statements_of(db: sqlite3.Connection) -> frozenset[str]:
    return frozenset(sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema"))


def format_of(db: sqlite3.Connection) -> int:
    """The version of the tables; 0 for what is no ledger of ours."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def tables_of(db: sqlite3.Connection) -> frozenset[str]:
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return frozenset(name for (name,) in rows)
