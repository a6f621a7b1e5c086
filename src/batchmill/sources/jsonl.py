"""A JSONL file as a source: one JSON value a line, plain or compressed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import Changed
from ..files.streams import FileStream, crc_of, reading
from ..records import Block, Mark
from .lines import LineReader

MAX_RECORD_BYTES = 64 << 20
"""Longest line that is handed to the task; a longer one is a dead letter."""


class JsonlFile:
    """The lines of a file, in order. A line without content is no record but keeps its number."""

    def __init__(self, path: Path, *, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self.name = str(path)
        self.path = path
        self._max = max_record_bytes
        self._stream: FileStream | None = None
        self._seen: os.stat_result | None = None

    def identity(self) -> dict[str, Any]:
        """Facts of the file. One that is changed before it is read is noticed by `blocks`."""
        facts = self._seen = self.path.stat()
        return {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "inode": facts.st_ino}

    def holds(self, mark: Mark) -> bool:
        with reading(self.path) as stream:
            if crc_of(stream.read, mark.offset) != mark.crc:
                return False
            return not mark.open_line or _read_end(stream) is not None

    def blocks(self, mark: Mark) -> Iterator[Block]:
        with reading(self.path, mark.offset, self._seen) as stream:
            self._stream = stream
            if mark.open_line:
                mark = self._end_line(stream, mark)
            yield from LineReader(stream, mark, self._max).blocks()

    def _end_line(self, stream: FileStream, mark: Mark) -> Mark:
        end = _read_end(stream)
        if end is None:
            raise Changed(f"the last line of {self.name} that was read goes on in another way",
                          hint="set a key, or start again with --restart")  # fmt: skip
        crc = zlib.crc32(end, mark.crc)
        return replace(mark, offset=mark.offset + len(end), crc=crc, open_line=end[-1:] != b"\n")

    def fraction(self, mark: Mark) -> float | None:
        if mark.offset == 0:
            return 0.0
        if self._stream is not None and self._stream.compressed:
            return self._stream.position()
        try:
            size = self.path.stat().st_size
        except OSError:
            return None
        return min(1.0, mark.offset / size) if size else None


def _read_end(stream: FileStream) -> bytes | None:
    """Read the end of a line that was missing when its record was read, as far as it is there;
    None if the line goes on in another way."""
    end = stream.read(1)
    if end == b"\r":
        end += stream.read(1)
    return end if b"\r\n".endswith(end) or end == b"\r" else None
