"""A file that is only ever appended to, commit by commit."""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import Changed, CommitFailed
from ..files.durable import commit_failed, sync_data, sync_folder, write_at
from ..formats.json_rows import JsonRows
from ..formats.rows import RowFormat
from ..records import Region

Compress = Callable[[bytes], bytes]


class AppendedFile:
    """Results appended at the committed end: positional write, then fdatasync.

    Compressed files get one complete gzip member or zstd frame a commit, so a file that is cut back
    to its committed length is always valid.

    What `rows` puts before the first row, such as a header, is written in one piece with it: with
    the first commit that appends to an empty file, and so just once, whatever is killed when.
    """

    def __init__(
        self, path: Path, compress: Compress | None = None, rows: RowFormat | None = None
    ) -> None:
        self.name = str(path)
        self.path = path
        self.commit_every_s = 5.0 if compress else 0.5
        self.rows: RowFormat = rows or JsonRows()
        self._compress = compress
        self._fd = -1
        self._end = 0
        self._crc = 0

    def open(self, length: int, crc: int) -> int:
        new = not self.path.exists()
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            surplus = self._cut_to(length)
            if new:
                sync_folder(self.path.parent)
        except OSError as error:
            raise commit_failed(self.path, error) from error
        self._end, self._crc = length, crc
        return surplus

    def _cut_to(self, length: int) -> int:
        surplus = os.fstat(self._fd).st_size - length
        if surplus < 0:
            raise Changed(f"{self.path} is {-surplus} bytes shorter than what was committed to it")
        if surplus:
            os.ftruncate(self._fd, length)
            os.fsync(self._fd)
        return surplus

    def append(self, chunks: Sequence[bytes]) -> Region:
        self._check_identity()
        # In one piece: every system call of this thread gives up the interpreter lock, and getting
        # it back from a busy event loop takes up to 5 ms.
        data = b"".join(chunks)
        head = self.rows.head() if data and not self._end else b""
        return self._append(head + data if head else data, len(head))

    def begin(self) -> Region:
        """Write what stands before the first row, for an output that gets no rows."""
        head = self.rows.head()
        return self._append(head, len(head))

    def _append(self, data: bytes, head: int) -> Region:
        if self._compress and data:
            data = self._compress(data)
        region = Region(self._end, len(data), zlib.crc32(data, self._crc), head)
        if data:
            self._write(data)
            self._end, self._crc = self._end + region.length, region.crc
        return region

    def _check_identity(self) -> None:
        """The name must still lead to the open file, or results would go where nobody looks."""
        here = os.fstat(self._fd)
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            there = None
        if there is None or (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise CommitFailed(
                f"{self.path} was replaced or deleted while the job was running",
                hint="put it back as it was, or start again with --restart",
            )

    def _write(self, data: bytes) -> None:
        try:
            write_at(self._fd, data, self._end)
        except OSError as error:
            self._cut_back(error)
            raise commit_failed(self.path, error) from error
        try:
            sync_data(self._fd)
        except OSError as error:
            # The kernel may have dropped the data and marked it clean: this descriptor is not to be
            # trusted again, and what lies behind the committed end is cut off by the next run.
            raise commit_failed(self.path, error) from error

    def _cut_back(self, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def compressor_for(path: Path) -> Compress | None:
    """What the ending of the name asks for: gzip, Zstandard or nothing."""
    if path.suffix == ".gz":
        return lambda data: gzip.compress(data, compresslevel=6, mtime=0)
    if path.suffix in (".zst", ".zstd"):
        from ..files import zstd

        return zstd.compress
    return None
