"""Zstandard, by the package `zstandard`."""

from __future__ import annotations

from typing import IO, Any

from ..errors import MissingDependency

try:
    import zstandard
except ImportError:
    raise MissingDependency("zstandard", "a .zst file", "zstd") from None

DAMAGED = zstandard.ZstdError

READ_BYTES = 1 << 16
PIECE_BYTES = 1 << 10
"""Compressed bytes that are decompressed at once: no more than 32 MB can come out of them."""


class FrameReader:
    """The content of all frames, one behind the other.

    The package's own reader takes a file that was cut inside a frame for one that ends there.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: Any = None
        self._input = b""
        self._at = 0
        self._rest = memoryview(b"")
        self._error: zstandard.ZstdError | None = None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, b"" only at the end. Raises ZstdError for a file that is damaged or
        cut short, but not before everything that stands before that has been read."""
        parts: list[bytes | memoryview] = [self._rest]
        held = len(self._rest)
        while held < size and (plain := self._next()) is not None:
            parts.append(plain)
            held += len(plain)
        ready = memoryview(b"".join(parts))
        self._rest = ready[size:]
        if not ready and self._error:
            raise self._error
        return bytes(ready[:size])

    def _next(self) -> bytes | None:
        """What comes out of the next piece; None at the end and where the damage begins."""
        if self._at == len(self._input):
            self._input, self._at = self._raw.read(READ_BYTES), 0
        piece = self._input[self._at : self._at + PIECE_BYTES]
        if not piece and self._frame:
            self._error = zstandard.ZstdError("the last frame is cut short")
        if not piece or self._error:
            return None
        self._frame = self._frame or self._decompressor.decompressobj()
        try:
            plain = bytes(self._frame.decompress(piece))
        except zstandard.ZstdError as error:
            self._error = error
            return None
        self._at += len(piece) - len(self._frame.unused_data)
        if self._frame.eof:
            self._frame = None
        return plain

    def close(self) -> None:
        """The file itself is its owner's to close."""


def reader(raw: IO[bytes]) -> FrameReader:
    return FrameReader(raw)


def compress(data: bytes) -> bytes:
    """One complete frame, with a checksum."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data)
