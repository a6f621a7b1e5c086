"""How are one or many files read as one source?"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

from ..errors import Changed, SourceError
from ..files.streams import reading
from ..records import Block, Mark, Unfinished
from .lines import LineReader, Place

FILE_BYTES = 1 << 42
"""Offsets of one file, in the offset of a mark: 4 TiB. A mark in the third file of a source has an
offset of twice that and more, so that reading goes on there without a look at the first two."""

RECENT_S = 10.0
"""A file that was changed so short a time ago may be being written: a last record in it that has no
end, and cannot be read, may be whole by the next run."""

_PIECE_BYTES = 1 << 20


class Bytes(Protocol):
    """The bytes of a file that records are cut from."""

    compressed: bool
    """Whether their offsets are not those of the file as it lies on disk."""

    def read(self, size: int) -> bytes: ...

    def position(self) -> float | None:
        """Share of the file, as it lies on disk, that has been read."""
        ...


class Files:
    """Files, one behind the other, in the order given: the numbers of records and the CRC run on.

    A file more, behind the others, is a source that grew. Override `reader`, and the other methods
    without an underscore where files are of another kind.
    """

    whole_if_read = False
    """Whether a part of a record cannot be taken for a whole one."""

    def __init__(self, paths: Sequence[Path], name: str = "") -> None:
        self.paths = list(paths)
        self.name = name or str(self.paths[0])
        self._seen: list[os.stat_result] = []
        self._behind: list[int] = []
        """Bytes on disk in front of each file, and of all of them."""
        self._number = 0
        self._stream: Bytes | None = None

    def reader(self, number: int, stream: Bytes, mark: Mark, place: Place) -> LineReader:
        """What cuts the file of this number, from `place` on."""
        raise NotImplementedError

    def newline(self, number: int) -> bytes:  # noqa: ARG002
        """With what a record of this file ends; b"" if it has no end that could be missing."""
        return b"\n"

    def manner(self) -> dict[str, Any]:
        """Options that decide where records are cut, as JSON values."""
        return {}

    def opened(
        self, path: Path, offset: int = 0, seen: os.stat_result | None = None
    ) -> AbstractContextManager[Bytes]:
        """The bytes of a file from `offset` on."""
        return reading(path, offset, seen)

    def dressed(self, block: Block, number: int) -> Block:  # noqa: ARG002
        """The block, with what its records have to know of their file."""
        return block

    def identity(self) -> dict[str, Any]:
        """Facts of the files. One that is changed before it is read is noticed by `blocks`."""
        self._seen = [path.stat() for path in self.paths]
        self._behind = [0, *accumulate(facts.st_size for facts in self._seen)]
        facts = _facts(self._seen[0])
        if len(self.paths) > 1:
            every = [
                (str(p), *_facts(s).values()) for p, s in zip(self.paths, self._seen, strict=True)
            ]
            digest = hashlib.blake2b(repr(every).encode(), digest_size=16).hexdigest()
            facts = {"files": len(every), "digest": digest}
        return facts | self.manner()

    def holds(self, mark: Mark) -> bool:
        number, offset = divmod(mark.offset, FILE_BYTES)
        if number >= len(self.paths):
            return False
        crc = 0
        for path in self.paths[:number]:
            with self.opened(path) as stream:
                crc, _ = _crc_on(stream, crc)
        with self.opened(self.paths[number]) as stream:
            crc, missing = _crc_on(stream, crc, offset)
            if missing or crc != mark.crc:
                return False
            return not mark.open_line or read_end(stream, self.newline(number)) is not None

    def blocks(self, mark: Mark) -> Iterator[Block]:
        first, offset = divmod(mark.offset, FILE_BYTES)
        if first >= len(self.paths):
            raise Changed(f"{self.name} has fewer files than were read before",
                          hint="put them back, set a key, or start again with --restart",
                          )  # fmt: skip
        crc = mark.crc
        for number in range(first, len(self.paths)):
            seen = self._seen[number] if self._seen else None
            with self.opened(self.paths[number], offset, seen) as stream:
                self._number, self._stream = number, stream
                if mark.open_line and offset:
                    mark = self._end_line(stream, mark, self.newline(number))
                    offset, crc = mark.offset % FILE_BYTES, mark.crc
                place = Place(number * FILE_BYTES + offset, crc, fresh=not offset)
                reader = self.reader(number, stream, mark, place)
                for block in reader.blocks():
                    mark = block.end
                    if mark.offset >= (number + 1) * FILE_BYTES:
                        raise SourceError(f"{self.paths[number]} has more than 4 TiB",
                                          hint="split it, and read its parts by a pattern",
                                          )  # fmt: skip
                    if reader.ended and number == len(self.paths) - 1:
                        block = replace(block, unfinished=self._unfinished(number))
                    yield self.dressed(block, number)
            crc, offset = reader.crc, 0

    def _unfinished(self, number: int) -> Unfinished:
        """Whether the last record of this file, which has no end, is half-written."""
        facts = self.paths[number].stat()
        if self._seen and facts.st_size > self._seen[number].st_size and not self.whole_if_read:
            return "yes"
        recent = abs(time.time() - facts.st_mtime) < RECENT_S
        return "if broken" if recent else "no"

    def _end_line(self, stream: Bytes, mark: Mark, newline: bytes) -> Mark:
        end = read_end(stream, newline)
        if end is None:
            raise Changed(f"the last line of {self.name} that was read goes on in another way",
                          hint="set a key, or start again with --restart")  # fmt: skip
        crc = zlib.crc32(end, mark.crc)
        still_open = not newline or end[-1:] != newline
        return replace(mark, offset=mark.offset + len(end), crc=crc, open_line=still_open)

    def fraction(self, mark: Mark) -> float | None:
        """By bytes as they lie on disk, in all files."""
        if mark.offset == 0:
            return 0.0
        number, offset = divmod(mark.offset, FILE_BYTES)
        try:
            if not self._behind:
                self.identity()
            size = self.paths[number].stat().st_size
        except OSError:
            return None
        share = self._share_of(number, offset, size)
        whole = self._behind[-1] - self._seen[number].st_size + size
        if share is None or not whole:
            return None
        return min(1.0, (self._behind[number] + share * size) / whole)

    def _share_of(self, number: int, offset: int, size: int) -> float | None:
        """How much of the file of this number was read, from 0 to 1."""
        if self._stream is None or not self._stream.compressed:
            return offset / size if size else None
        return self._stream.position() if self._number == number else None


def _facts(seen: os.stat_result) -> dict[str, Any]:
    return {"size": seen.st_size, "mtime_ns": seen.st_mtime_ns, "inode": seen.st_ino}


def _crc_on(stream: Bytes, crc: int, length: int = FILE_BYTES) -> tuple[int, int]:
    """The CRC-32 with the next bytes, `length` at most; and how many there are fewer."""
    while length and (piece := stream.read(min(length, _PIECE_BYTES))):
        crc = zlib.crc32(piece, crc)
        length -= len(piece)
    return crc, length


def read_end(stream: Bytes, newline: bytes) -> bytes | None:
    """Read the end of a line that was missing when its record was read, as far as it is there;
    None if the line goes on in another way."""
    end = stream.read(1)
    if not newline:
        return None if end else end
    if end == b"\r" != newline:
        end += stream.read(1)
    return end if end in (b"", newline, b"\r", b"\r\n") else None
