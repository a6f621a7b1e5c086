"""How are records that stand one a line cut out of a stream of bytes?"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from ..errors import SourceError
from ..records import Block, Mark, Oversized

READ_BYTES = 1 << 17
"""Bytes read at once. Small enough to stay in the processor's cache until its records are called,
which is worth a quarter of the whole run (see docs/decisions)."""

HEAD_BYTES = 1024
"""What is kept of a record that is too large."""

BOM = b"\xef\xbb\xbf"
_BOMS = (b"\xff\xfe", b"\xfe\xff")
_NULS = re.compile(rb"[^\0]\0[^\0]?\0|\0[^\0]\0[^\0]|\0\0\0[^\0]", re.DOTALL)
"""How characters of ASCII stand in UTF-16 and UTF-32, in either order of bytes."""


class Stream(Protocol):
    """Bytes that can be read from an offset on."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, b"" only at the end."""
        ...


class Place(NamedTuple):
    """Where the bytes of a stream begin: at this offset, behind bytes with this CRC-32."""

    offset: int
    crc: int
    fresh: bool
    """Whether that is the beginning of a file."""


class LineReader:
    """Cuts a stream into blocks of lines. Memory is bounded by the longest record that is kept.

    For records that are cut in another way, override `cut`; for files that begin in another way,
    `begin`.
    """

    newline = b"\n"

    def __init__(
        self, stream: Stream, mark: Mark, max_record_bytes: int, place: Place | None = None
    ) -> None:
        """`place`, where the stream begins, is that of the mark unless another file was begun."""
        self._stream = stream
        self._mark = mark
        self._max = max_record_bytes
        self._offset, self.crc, self._fresh = place or Place(mark.offset, mark.crc, not mark.offset)
        self._parts: list[bytes] = []
        self._held = 0
        self._wanted = 0
        """How much must be held before it is worth looking for the end of its record again."""
        self.ended = False
        """Whether what is handed out now ends with the stream, and not surely with a record."""
        self._too_long: bytes | None = None
        """Beginning of a record that is too large, while its end has not been seen."""
        self._crc = self.crc

    def cut(self, data: bytes, *, final: bool) -> tuple[list[Any], int]:
        """The records that are whole in `data`, which begins with one, and how far they reach.

        If it is `final`, nothing follows, and all of it is records.
        """
        *lines, rest = data.split(self.newline)
        if final and rest:
            return [*lines, rest], len(data)
        return lines, len(data) - len(rest)

    def begin(self, lines: list[Any]) -> list[Any]:
        """The first lines of a file, as they are to be handed on."""
        return [_beginning(lines[0]), *lines[1:]]

    def is_open(self, data: bytes) -> bool:
        """Whether the last record of `data`, the end of the file, has no end."""
        return data[-1:] != self.newline

    def blocks(self) -> Iterator[Block]:
        while chunk := self._stream.read(READ_BYTES):
            if self._too_long is not None and self.newline in chunk:
                end = chunk.index(self.newline) + 1
                yield self._oversized(chunk[:end])
                chunk = chunk[end:]
            if self._goes_on(chunk):
                self._hold(chunk)
                continue
            data = b"".join([*self._parts, chunk]) if self._parts else chunk
            self._parts.clear()
            self._held = self._wanted = 0
            lines, length = self.cut(data, final=False)
            if lines:
                yield self._block(lines, data, length, open_line=False)
            self._keep(data[length:])
        self.ended = True
        if self._too_long is not None:
            yield self._oversized(b"")
        elif self._held:
            data = b"".join(self._parts)
            lines, length = self.cut(data, final=True)
            yield self._block(lines, data, length, open_line=self.is_open(data))

    def _goes_on(self, chunk: bytes) -> bool:
        """Whether no record can end in this chunk."""
        if self._wanted:
            return self._held + len(chunk) < self._wanted
        return self.newline not in chunk

    def _keep(self, rest: bytes) -> None:
        """Keep the beginning of a record. Where it goes over several lines, the next look at it
        is when there is twice as much, so that a long one is not looked at over and over."""
        if self.newline in rest:
            self._wanted = 2 * len(rest)
        self._hold(rest)

    def _hold(self, chunk: bytes) -> None:
        """Keep the beginning of a line, or count it only once it is too long to be kept."""
        if not chunk:
            return
        self._held += len(chunk)
        if self._too_long is not None:
            self._crc = zlib.crc32(chunk, self._crc)
            return
        self._parts.append(chunk)
        if self._held > self._max and not self._wanted:
            self._too_long = b"".join(self._parts[:2])[:HEAD_BYTES]
            for part in self._parts:
                self._crc = zlib.crc32(part, self._crc)
            self._parts.clear()

    def _oversized(self, rest: bytes) -> Block:
        length = self._held + len(rest)
        crc = zlib.crc32(rest, self._crc)
        head, self._too_long, self._held = self._too_long or b"", None, 0
        record = Oversized(length - len(rest[-1:]), head)
        return self._advance([record], length, crc, open_line=not rest)

    def _block(self, lines: list[Any], body: bytes, length: int, *, open_line: bool) -> Block:
        if self._fresh:
            lines = self.begin(lines)
        if length > self._max:
            lines = [_cut_oversized(line, self._max) for line in lines]
        crc = zlib.crc32(memoryview(body)[:length], self.crc)
        return self._advance(lines, length, crc, open_line)

    def _advance(self, lines: list[Any], length: int, crc: int, open_line: bool) -> Block:
        mark = self._mark
        self._offset += length
        end = Mark(mark.seq + len(lines), self._offset, crc, open_line)
        self._mark, self.crc, self._crc, self._fresh = end, crc, crc, False
        return Block(mark, lines, end)


def _cut_oversized(line: bytes, limit: int) -> bytes | Oversized:
    return line if len(line) <= limit else Oversized(len(line), line[:HEAD_BYTES])


def _beginning(line: bytes) -> bytes:
    """The first line without its byte order mark, if it is the first line of a JSONL file at all.

    Raises SourceError for UTF-16, UTF-32 and a JSON document that is spread over lines.
    """
    if looks_wide(line):
        raise SourceError("the source looks like UTF-16 or UTF-32, and JSON lines are UTF-8",
                          hint="convert it: iconv -f UTF-16 -t UTF-8 IN > OUT")  # fmt: skip
    line = line.removeprefix(BOM)
    if line.strip() in (b"[", b"{"):
        raise SourceError("the source is one JSON document and not one JSON value a line",
                          hint="convert it: jq -c '.[]' IN > OUT.jsonl (an array), or"
                          " jq -c . IN > OUT.jsonl (values)")  # fmt: skip
    return line


def looks_wide(beginning: bytes) -> bool:
    """Whether a file begins like one in UTF-16 or UTF-32."""
    return beginning[:2] in _BOMS or _NULS.match(beginning) is not None
