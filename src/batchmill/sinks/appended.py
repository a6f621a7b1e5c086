"""A file that is only ever appended to, commit by commit."""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import Changed, CommitFailed
from ..files.durable import commit_failed, sync_data, sync_folder, write_at, writing
from ..files.streams import Compression, compression_of
from ..files.watched import Watched
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
        self._watched: Watched | None = None

    def open(self, length: int, crc: int) -> int:
        new = not self.path.exists()
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            surplus = self._cut_to(length)
            if new:
                sync_folder(self.path.parent)
            self._watched = Watched(self.path, self._fd)
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
        self.check()
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

    def check(self) -> None:
        """Raises CommitFailed if somebody else has written to the file since we last did, or if its
        name leads elsewhere: results would go where nobody looks, or stand beside what is none."""
        why = self.change()
        if why:
            raise CommitFailed(
                f"{self.path} was {why} by somebody else while the job was running",
                hint="put it back as it was and run again; with a key, a run finds progress again"
                " by itself; --restart begins anew, and keeps what there is",
            )

    def change(self) -> str | None:
        """What somebody else did to the file, in a word; None if nothing, or if it is not open."""
        if self._watched is None:
            return None
        with writing(self.path):
            return self._watched.change(self._end, self._crc)

    def identity(self) -> dict[str, Any]:
        """Size and time of the file as we left it; something else if it is not like that now."""
        if self._watched is None or self.change():
            return {"changed": True}
        return self._watched.identity()

    def _write(self, data: bytes) -> None:
        try:
            write_at(self._fd, data, self._end)
            self._wrote(synced=False)
        except OSError as error:
            self._cut_back(error)
            raise commit_failed(self.path, error) from error
        try:
            sync_data(self._fd)
            self._wrote(synced=True)
        except OSError as error:
            # The kernel may have dropped the data and marked it clean: this descriptor is not to be
            # trusted again, and what lies behind the committed end is cut off by the next run.
            raise commit_failed(self.path, error) from error

    def _wrote(self, *, synced: bool) -> None:
        if self._watched:
            self._watched.wrote(synced=synced)

    def _cut_back(self, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd, self._watched = -1, None


def compressor_for(path: Path) -> Compress | None:
    """What the ending of the name asks for: gzip, Zstandard or nothing."""
    return _compressor(compression_named(path))


def compressor_like(path: Path) -> Compress | None:
    """The one that the file was written with, whatever its name."""
    return _compressor(compression_of(path))


def compression_named(path: Path) -> Compression | None:
    """The compression that the ending of a name stands for."""
    if path.suffix == ".gz":
        return "gzip"
    return "zstd" if path.suffix in (".zst", ".zstd") else None


def _compressor(compression: Compression | None) -> Compress | None:
    if compression == "gzip":
        return lambda data: gzip.compress(data, compresslevel=6, mtime=0)
    if compression == "zstd":
        from ..files import zstd

        return zstd.compress
    return None
