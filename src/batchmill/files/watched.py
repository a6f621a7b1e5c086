"""A file that is watched: whether it is as we left it, or somebody else wrote to it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .streams import crc_of

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What is cheap to learn of a file, and changes with whatever is done to it."""

    file: tuple[int, int]
    """Which one it is: device and inode."""
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Facts:
        return cls((found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns,
                   found.st_ctime_ns)  # fmt: skip


class Watched:
    """A file that nobody but us is to write to, for as long as we have it open.

    Costs a `stat` each time it is asked; the file is read again only where its times have changed
    without us. A file system that sets times later than the write is found out by that, and its
    times are from then on taken once all is synced.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self._seen = Facts.of(os.fstat(fd))
        self._times_are_late = False

    def wrote(self, *, synced: bool) -> None:
        """Take in what the file is like after a write of ours, and again once that is synced."""
        if not synced or self._times_are_late:
            self._seen = Facts.of(os.fstat(self._fd))

    def change(self, length: int, crc: int) -> str | None:
        """What somebody else did to the file of which we know length and CRC-32; None if nothing.

        Raises OSError where the disk does.
        """
        try:
            now = Facts.of(os.stat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return "replaced or deleted"
        if now == self._seen and now.size == length:
            return None
        return self._how(now, length, crc)

    def _how(self, now: Facts, length: int, crc: int) -> str | None:
        if now.file != self._seen.file:
            return "replaced or deleted"
        if now.size < length:
            return f"cut short by {length - now.size:,} bytes"
        if now.size > length:
            return f"appended to ({now.size - length:,} bytes)"
        if self._crc(length) != crc:
            return "edited"
        self._seen, self._times_are_late = now, True
        return None

    def _crc(self, length: int) -> int | None:
        """CRC-32 of what is there now; None if that is less."""
        with open(self.path, "rb") as file:
            return crc_of(file.read, length)

    def identity(self) -> dict[str, Any]:
        """Size and time of change as we left it, as JSON values."""
        return {"size": self._seen.size, "mtime_ns": self._seen.mtime_ns}
