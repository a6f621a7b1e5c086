"""How do bytes reach the disk so that they stay there?"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import CommitFailed

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sync_data(fd: int) -> None:
    """Have the bytes of a file on disk, and of its facts what is needed to read them."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def write_at(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`, however short each write falls.

    The file's own position is neither used nor changed.
    """
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        offset += written
        view = view[written:]


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable: a new or renamed file is only safe after it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the disk into a CommitFailed that says what to do about `path`."""
    try:
        yield
    except OSError as error:
        raise commit_failed(path, error) from error


def commit_failed(path: Path, error: OSError) -> CommitFailed:
    """The error for a write that did not succeed, saying what to do."""
    hint = "mend the cause and run again: everything committed so far stands"
    if error.errno in _FULL:
        hint = f"{_free(path)}make room and run again: everything committed so far stands"
    return CommitFailed(f"{path} cannot be written: {error.strerror or error}", hint=hint)


def _free(path: Path) -> str:
    with suppress(OSError):
        facts = os.statvfs(path.parent)
        return f"{facts.f_bavail * facts.f_frsize / 1e6:.1f} MB are free; "
    return ""
