"""How a ledger file is opened: by its run, the only writer, or by somebody who only reads."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import CommitFailed, LedgerError
from ..files.durable import commit_failed
from ..files.lock import holder_of
from .schema import FORMAT, create, format_of, statements, statements_of, tables_of
from .upgrade import TABLES_OF_1, upgrade

BUSY_TIMEOUT_S = 10.0
CHECKED_BYTES = 64 << 20
"""A ledger up to this size is looked through as a whole when it is opened; in a larger one each row
is checked when it is read."""
READERS_MS = 500
"""So long a run waits at its end for those who are reading its ledger at that moment."""
COPIES = 5
"""How often a copy is tried that somebody writes to meanwhile."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a ledger for its run, which holds the lock, making it if it is not there. Never a link.

    One of an earlier format is upgraded, after a copy of it was kept.
    """
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
            _read_schema(db)
            empty = not tables_of(db)
            if not empty:
                check_format(db, path)
                _check_sound(db, path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            if empty:
                db.execute("BEGIN IMMEDIATE")
                create(db)
                db.execute("COMMIT")
            elif format_of(db) < FORMAT:
                _upgrade(db, path)
    except BaseException:
        db.close()
        raise
    return db


def close(db: sqlite3.Connection) -> None:
    """Close a ledger that its run had open, complete without its log, whoever still reads it: the
    last one of them takes the empty log away."""
    with suppress(sqlite3.Error):
        db.execute(f"PRAGMA busy_timeout = {READERS_MS}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    try:
        upgrade(db, path)
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path, error) from error


@contextmanager
def connect_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger without ever writing to it or beside it, whether its job runs, ended or was
    killed, and whatever rights one has to its folder. Formats since 1 are opened as they are."""
    if not path.exists():
        raise LedgerError(f"{path} is not there", hint="the job has not run yet")
    with explaining_reader(path), _opened(path.resolve()) as db:
        db.row_factory = sqlite3.Row
        if not tables_of(db):
            raise LedgerError(f"{path} knows of no run", hint="the job has not run yet")
        check_format(db, path)
        yield db


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the ledger itself, or else to a copy of it."""
    db = _connected(file, _way_in(file))
    if db is not None:
        with closing(db):
            yield db
        return
    with TemporaryDirectory(prefix="batchmill-") as folder:
        copy = sqlite3.connect(_copied(file, Path(folder)), isolation_level=None)
        with closing(copy):
            yield copy


def _way_in(file: Path) -> str:
    """How the ledger may be opened so that a reader sees one moment of it, whoever begins to write,
    and leaves nothing behind. The log of a run that was killed is not touched."""
    if _is_left(_log_of(file)) and not holder_of(file.with_name(f"{file.name}.lock")):
        return "mode=ro"
    if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        # A connection that could write makes a log for the time it is there, and removes it; also
        # that of a run which ends meanwhile.
        return "mode=rw"
    if _log_of(file).exists():
        return "mode=ro"
    return "immutable=1" if os.statvfs(file).f_flag & os.ST_RDONLY else "mode=ro"


def _is_left(log: Path) -> bool:
    """Whether there is a log with something in it."""
    try:
        return log.stat().st_size > 0
    except FileNotFoundError:
        return False


def _connected(file: Path, how: str) -> sqlite3.Connection | None:
    """None where SQLite would have to make a file beside the ledger, and cannot."""
    db = sqlite3.connect(f"{file.as_uri()}?{how}", uri=True, timeout=BUSY_TIMEOUT_S,
                         isolation_level=None)  # fmt: skip
    try:
        db.execute("PRAGMA query_only = 1")
        _read_schema(db)
    except sqlite3.OperationalError as error:
        db.close()
        if _kind(error) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            return None
        raise
    except BaseException:
        db.close()
        raise
    return db


def _read_schema(db: sqlite3.Connection) -> None:
    """Have SQLite read what tables there are, which is when it finds that it cannot.

    Where it quotes a damaged name, Python cannot read the message, and says only that.
    """
    try:
        db.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError("malformed database schema") from error


def _copied(file: Path, folder: Path) -> Path:
    """A copy of ledger and log, taken while nobody wrote to them. Raises LedgerError if somebody
    always does."""
    copy = folder / file.name
    for _ in range(COPIES):
        before = _seen(file)
        shutil.copyfile(file, copy)
        if _log_of(file).exists():
            shutil.copyfile(_log_of(file), _log_of(copy))
        if _seen(file) == before:
            return copy
    raise LedgerError(f"{file} is being written, and you have no right to its folder",
                      hint="try again, or as the user whose job it is")  # fmt: skip


def _seen(file: Path) -> list[tuple[int, int] | None]:
    """Size and time of change of the ledger and its log."""
    found = (each.stat() if each.exists() else None for each in (file, _log_of(file)))
    return [facts and (facts.st_size, facts.st_mtime_ns) for facts in found]


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def check_format(db: sqlite3.Connection, path: Path) -> None:
    """Raises LedgerError unless this version of batchmill knows these tables."""
    version = format_of(db)
    if version > FORMAT:
        raise LedgerError(
            f"{path} was written by a newer batchmill (format {version}, known up to {FORMAT})",
            hint="pip install --upgrade batchmill",
        )
    if not _has_tables(db, version):
        raise damaged(path, "it holds other tables")


def _has_tables(db: sqlite3.Connection, version: int) -> bool:
    if version == 1:
        return tables_of(db) >= TABLES_OF_1
    return version == FORMAT and statements_of(db) == statements()


def _check_sound(db: sqlite3.Connection, path: Path) -> None:
    """Raises LedgerError for pages that hold something else."""
    if path.stat().st_size > CHECKED_BYTES:
        return
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(path, found)


_OUTSIDE = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_PROTOCOL}  # fmt: skip
"""Errors of SQLite whose cause is not what the file holds."""


def _kind(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn an error of SQLite into a CommitFailed if the disk is to blame, or another process that
    holds the ledger, and into a LedgerError if the ledger is."""
    try:
        yield
    except sqlite3.Error as error:
        code = _kind(error)
        if code == sqlite3.SQLITE_BUSY:
            raise CommitFailed(f"{path} is held by another process",
                               hint="end it (another run of this job, a tool that has the ledger"
                               " open) and run again") from error  # fmt: skip
        if code in _OUTSIDE:
            number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
            raise commit_failed(path, OSError(number, str(error))) from error
        raise damaged(path, error) from error


@contextmanager
def explaining_reader(path: Path) -> Iterator[None]:
    """Turn an error of SQLite, met while reading, into a LedgerError that tells a disk or a file
    that cannot be read from one that is damaged."""
    try:
        yield
    except sqlite3.Error as error:
        if _kind(error) in _OUTSIDE | {sqlite3.SQLITE_BUSY}:
            raise LedgerError(f"{path} cannot be read: {error}",
                              hint="try again first; then look at the disk, and at your rights to"
                              " the file") from error  # fmt: skip
        raise damaged(path, error) from error


def damaged(path: Path, why: object) -> LedgerError:
    return LedgerError(
        f"{path} is damaged or no ledger: {why}",
        hint="with a key, move it away and run again with --adopt: progress is found again in the"
        " output; without one, --restart begins anew and keeps the old output",
    )
