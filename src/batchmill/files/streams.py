"""How are the bytes of a file read, plain or compressed, from an offset on?"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from ..errors import SourceError

_SKIP_BYTES = 1 << 20
Compression = Literal["gzip", "zstd"]

_MAGIC_BYTES = 4
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"
"""How a frame that holds no data begins, after a byte from 0x50 to 0x5f."""


class FileStream:
    """A file read from one end to the other, which notices when it is changed on the way, or was
    changed since it was `seen`.

    Offsets are those of the decompressed bytes. Growing is no change.
    """

    def __init__(self, path: Path, seen: os.stat_result | None = None) -> None:
        self._path = path
        self._raw: IO[bytes] = open_source(path)
        facts = os.fstat(self._raw.fileno())
        self._seen = seen or facts
        if not os.path.samestat(facts, self._seen):
            self._raw.close()
            raise _changed(path, "was replaced")
        self._file, self._damage = _decompressed(self._raw)
        # What gzip's `read` has gathered is lost when it finds the damage; `read1` gathers nothing.
        self._read = getattr(self._file, "read1", self._file.read)
        self.compressed = self._file is not self._raw

    def seek(self, offset: int) -> None:
        """Go on from `offset`. A compressed file is read up to there."""
        if not self.compressed:
            self._raw.seek(offset)
            return
        while offset > 0:
            skipped = len(self.read(min(offset, _SKIP_BYTES)))
            if not skipped:
                raise SourceError(f"{self._path} ended {offset} bytes before the place to go on")
            offset -= skipped

    def read(self, size: int) -> bytes:
        """Up to `size` bytes. Raises SourceError if the file is cut short, damaged or changed."""
        self._check_unchanged()
        try:
            return bytes(self._read(size))
        except self._damage as error:
            raise SourceError(f"{self._path} is damaged or cut short: {error}",
                              hint="what was read so far is committed; mend the file and run again",
                              ) from error  # fmt: skip
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read: {error}") from error

    def _check_unchanged(self) -> None:
        now, before = os.fstat(self._raw.fileno()), self._seen
        if now.st_mtime_ns == before.st_mtime_ns and now.st_size == before.st_size:
            if now.st_nlink:
                return
            raise _changed(self._path, "was replaced or deleted")
        if now.st_size < before.st_size:
            raise _changed(self._path, "shrank")
        if now.st_size == before.st_size:
            raise _changed(self._path, "was overwritten")
        self._seen = now

    def position(self) -> float | None:
        """Share of the file, as it lies on disk, that has been read."""
        size = self._seen.st_size
        return min(1.0, self._raw.tell() / size) if size else None

    def close(self) -> None:
        self._file.close()
        self._raw.close()


def _changed(path: Path, how: str) -> SourceError:
    return SourceError(
        f"{path} {how} while it was being read",
        hint="what was read before is committed; the next run compares the file and says more",
    )


def open_source(path: Path) -> IO[bytes]:
    """The file, to be read. Raises SourceError, also for a pipe, for which opening would wait."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SourceError(f"{path} cannot be read: it is no ordinary file")
    return os.fdopen(fd, "rb", buffering=0)


def _decompressed(raw: IO[bytes]) -> tuple[Any, tuple[type[Exception], ...]]:
    """The file to read from, known by its first bytes, and what it raises on damage."""
    found = _begins_as(raw.read(_MAGIC_BYTES))
    raw.seek(0)
    if found == "gzip":
        return gzip.GzipFile(fileobj=raw), (EOFError, zlib.error, gzip.BadGzipFile)
    if found == "zstd":
        from . import zstd

        return zstd.reader(raw), (zstd.DAMAGED,)
    return raw, ()


def compression_of(path: Path) -> Compression | None:
    """How the file is compressed, known by its first bytes. Raises SourceError."""
    with open_source(path) as raw:
        return _begins_as(raw.read(_MAGIC_BYTES))


def _begins_as(magic: bytes) -> Compression | None:
    if magic.startswith(_GZIP):
        return "gzip"
    skipped = magic[1:] == _ZSTD_SKIPPED and magic[0] >> 4 == 5
    return "zstd" if magic == _ZSTD or skipped else None


@contextmanager
def reading(
    path: Path, offset: int = 0, seen: os.stat_result | None = None
) -> Iterator[FileStream]:
    """A FileStream at `offset`, closed at the end."""
    stream = FileStream(path, seen)
    try:
        if offset:
            stream.seek(offset)
        yield stream
    finally:
        stream.close()


def crc_of(read: Callable[[int], bytes], length: int) -> int | None:
    """CRC-32 of the next `length` bytes; None if there are fewer."""
    crc = 0
    while length > 0:
        chunk = read(min(length, _SKIP_BYTES))
        if not chunk:
            return None
        crc = zlib.crc32(chunk, crc)
        length -= len(chunk)
    return crc
