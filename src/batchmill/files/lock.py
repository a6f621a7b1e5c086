"""One run at a time per job, by a lock of the operating system."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import AlreadyRunning
from .durable import commit_failed, writing
from .plain import open_plain

_held: set[str] = set()
"""Locks of this process. POSIX record locks do not keep a process from itself; worse, closing any
descriptor of the file gives them up, so a second one must not even be opened."""
_one_at_a_time = threading.Lock()


@contextmanager
def job_lock(path: Path) -> Iterator[None]:
    """Hold the lock, or raise AlreadyRunning, saying who does.

    A POSIX record lock (`lockf`): it is gone at once when its holder dies, even if a forked child
    of the holder lives on, which `flock` is not. The file stays; only the lock means anything.
    A link in its place is none of ours: it is taken away and what it leads to is not touched.
    """
    with _held_here(path), _opened(path) as fd:
        _lock(fd, path)
        with writing(path):
            _sign(fd)
        yield


@contextmanager
def _held_here(path: Path) -> Iterator[None]:
    name = _name_of(path)
    with _one_at_a_time:
        if name in _held:
            raise AlreadyRunning(f"this process is already running the job of {path.stem}")
        _held.add(name)
    try:
        yield
    finally:
        _held.discard(name)


def _name_of(path: Path) -> str:
    """What the lock is called whatever links lead to its folder."""
    return str(path.parent.resolve() / path.name)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    with writing(path):
        if path.is_symlink():
            with suppress(PermissionError):  # opening it then says that it is a link
                path.unlink(missing_ok=True)
        fd = open_plain(path, os.O_RDWR | os.O_CREAT)
    try:
        yield fd
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise commit_failed(path, error) from error
        holder = _read(fd)
        who = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        raise AlreadyRunning(
            f"another run of this job is active: {who if holder['pid'] else path}",
            hint="wait for it to end, or stop it; two runs would do the same work twice",
        ) from None


def _sign(fd: int) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(facts).encode(), 0)


def _read(fd: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"pid": None, "host": "?", "since": "?"}
    with suppress(ValueError, TypeError):
        facts.update(json.loads(os.pread(fd, 1024, 0)))
    return facts


def holder_of(path: Path) -> dict[str, Any] | None:
    """Who holds the lock now (pid, host, since); None if nobody does, or if that may not be asked.

    Needs no right to write, and waits for nothing.
    """
    if path.is_symlink() or not path.exists():
        return None
    if _name_of(path) in _held:
        return {"pid": os.getpid(), "host": "", "since": ""}
    try:
        fd = open_plain(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _read(fd) if _is_locked(fd) else None
    finally:
        os.close(fd)


_FLOCK, _TYPE = ("hhqqi", 0) if sys.platform == "linux" else ("qqihh", 3)
"""The fields of `struct flock`, and which one says what kind of lock it is."""


def _is_locked(fd: int) -> bool:
    """Whether another process holds the lock. Asked without taking it for a moment, which would be
    in the way of a run that begins just then."""
    fields = [0] * 5
    fields[_TYPE] = fcntl.F_WRLCK
    answer = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(_FLOCK, *fields))
    found: int = struct.unpack(_FLOCK, answer)[_TYPE]
    return found != fcntl.F_UNLCK
