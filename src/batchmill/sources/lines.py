"""How are records that stand one a line cut out of a stream of bytes?"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from ..errors import SourceError
from ..records import Block, Mark, Oversized

READ_BYTES = 1 << 17
"""Bytes read at once. Small enough to stay in the processor's cache until its records are called,
which is worth a quarter of the whole run (see docs/decisions)."""

HEAD_BYTES = 1024
"""What is kept of a record that is too large."""

_BOM = b"\xef\xbb\xbf"
_BOMS = (b"\xff\xfe", b"\xfe\xff")
_NULS = re.compile(rb"[^\0]\0[^\0]?\0|\0[^\0]\0[^\0]|\0\0\0[^\0]", re.DOTALL)
"""How characters of ASCII stand in UTF-16 and UTF-32, in either order of bytes."""


class Stream(Protocol):
    """Bytes that can be read from an offset on."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, b"" only at the end."""
        ...


class LineReader:
    """Cuts a stream into blocks of lines. Memory is bounded by the longest record that is kept."""

    def __init__(self, stream: Stream, mark: Mark, max_record_bytes: int) -> None:
        self._stream = stream
        self._mark = mark
        self._max = max_record_bytes
        self._parts: list[bytes] = []
        self._held = 0
        self._too_long: bytes | None = None
        """Beginning of a record that is too large, while its end has not been seen."""
        self._crc = mark.crc

    def blocks(self) -> Iterator[Block]:
        while chunk := self._stream.read(READ_BYTES):
            if b"\n" not in chunk:
                self._hold(chunk)
                continue
            if self._too_long is not None:
                end = chunk.index(b"\n") + 1
                yield self._oversized(chunk[:end])
                chunk = chunk[end:]
            elif self._parts:
                chunk = b"".join([*self._parts, chunk])
            self._parts.clear()
            self._held = 0
            *lines, rest = chunk.split(b"\n")
            if lines:
                yield self._block(lines, chunk, len(chunk) - len(rest), open_line=False)
            self._hold(rest)
        if self._too_long is not None:
            yield self._oversized(b"")
        elif self._held:
            body = b"".join(self._parts)
            yield self._block([body], body, len(body), open_line=True)

    def _hold(self, chunk: bytes) -> None:
        """Keep the beginning of a line, or count it only once it is too long to be kept."""
        if not chunk:
            return
        self._held += len(chunk)
        if self._too_long is None:
            self._parts.append(chunk)
            if self._held > self._max:
                self._too_long = b"".join(self._parts[:2])[:HEAD_BYTES]
                for part in self._parts:
                    self._crc = zlib.crc32(part, self._crc)
                self._parts.clear()
        else:
            self._crc = zlib.crc32(chunk, self._crc)

    def _oversized(self, rest: bytes) -> Block:
        length = self._held + len(rest)
        crc = zlib.crc32(rest, self._crc)
        head, self._too_long, self._held = self._too_long or b"", None, 0
        record = Oversized(length - len(rest[-1:]), head)
        return self._advance([record], length, crc, open_line=not rest)

    def _block(self, lines: list[Any], body: bytes, length: int, *, open_line: bool) -> Block:
        if self._mark.offset == 0:
            lines[0] = _beginning(lines[0])
        if length > self._max:
            lines = [_cut_oversized(line, self._max) for line in lines]
        crc = zlib.crc32(memoryview(body)[:length], self._mark.crc)
        return self._advance(lines, length, crc, open_line)

    def _advance(self, lines: list[Any], length: int, crc: int, open_line: bool) -> Block:
        mark = self._mark
        end = Mark(mark.seq + len(lines), mark.offset + length, crc, open_line)
        self._mark, self._crc = end, crc
        return Block(mark, lines, end)


def _cut_oversized(line: bytes, limit: int) -> bytes | Oversized:
    return line if len(line) <= limit else Oversized(len(line), line[:HEAD_BYTES])


def _beginning(line: bytes) -> bytes:
    """The first line without its byte order mark, if it is the first line of a JSONL file at all.

    Raises SourceError for UTF-16, UTF-32 and a JSON document that is spread over lines.
    """
    if line[:2] in _BOMS or _NULS.match(line):
        raise SourceError("the source looks like UTF-16 or UTF-32, and JSON lines are UTF-8",
                          hint="convert it: iconv -f UTF-16 -t UTF-8 IN > OUT")  # fmt: skip
    line = line.removeprefix(_BOM)
    if line.strip() in (b"[", b"{"):
        raise SourceError("the source is one JSON document and not one JSON value a line",
                          hint="convert it: jq -c '.[]' IN > OUT.jsonl (an array), or"
                          " jq -c . IN > OUT.jsonl (values)")  # fmt: skip
    return line
