"""CSV and TSV files as a source: a header, and records that may go over several lines."""

from __future__ import annotations

import csv
import io
import os
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, SourceError
from ..files.streams import reading
from ..formats.csv_dialect import CsvDialect
from ..records import Block, Mark
from .csv_cut import CsvCutter
from .csv_header import Header, header_of
from .files import FILE_BYTES, Bytes, Files, read_end
from .lines import LineReader, Place
from .recoded import recoding

HEADED = b"\0"
"""Around the header in front of a record whose file has other columns than the first one."""
UNHEADED = HEADED + HEADED
"""In front of a record that begins with a NUL byte itself: what follows is no header."""


class CsvFiles(Files):
    """The records of files, in order. An empty line is no record but keeps its number.

    Every file has a header of its own. Records of a file with other columns than the first file
    with any carry its header with them, so that they can be read wherever they go.
    """

    def __init__(self, paths: Sequence[Path], name: str = "", *, dialect: CsvDialect,
                 labels: Sequence[str] = ()) -> None:  # fmt: skip
        """`labels` are what records say of their files in `dialect.file_field`."""
        super().__init__(paths, name)
        self._dialect = dialect
        self._labels = labels
        self._known: tuple[int, Header] | None = None
        self.names = self._first_names()

    def _first_names(self) -> tuple[str, ...]:
        headers = (self._header(number) for number in range(len(self.paths)))
        return next((header.names for header in headers if header.names), ())

    def check(self) -> None:
        """Read every header. Raises ConfigError for one whose names cannot be those of columns."""
        for number in range(len(self.paths)):
            self._header(number)

    def _header(self, number: int) -> Header:
        if self._known is None or self._known[0] != number:
            path = self.paths[number]
            with self.opened(path) as stream:
                self._known = number, header_of(stream.read, self._dialect, str(path))
        return self._known[1]

    def opened(
        self, path: Path, offset: int = 0, seen: os.stat_result | None = None
    ) -> AbstractContextManager[Bytes]:
        if self._dialect.is_recoded:
            return recoding(path, self._dialect.encoding, offset, seen)
        return reading(path, offset, seen)

    def newline(self, number: int) -> bytes:
        return self._header(number).newline

    def manner(self) -> dict[str, Any]:
        told = asdict(self._dialect)
        names = ("delimiter", "quotechar", "escapechar", "doublequote", "max_record_bytes")
        return {"cut": [told[name] for name in names]}

    def reader(self, number: int, stream: Bytes, mark: Mark, place: Place) -> LineReader:
        header = self._header(number)
        if place.fresh:
            crc = _skip(stream, header.length, place.crc)
            place = Place(place.offset + header.length, crc, fresh=False)
        return CsvLines(stream, mark, self._dialect, header.newline, place)

    def dressed(self, block: Block, number: int) -> Block:
        header = self._header(number)
        front = b""
        if header.names != self.names:
            front = HEADED + header.raw + HEADED
        if self._dialect.file_field:
            front += self._cell(self._labels[number])
        if not front:
            return block
        dressed = [front + raw if raw and isinstance(raw, bytes) else raw for raw in block.records]
        return replace(block, records=dressed)

    def _cell(self, label: str) -> bytes:
        """A file's label as the first cell of its records."""
        line = io.StringIO()
        try:
            csv.writer(line, lineterminator="", **self._dialect.for_csv()).writerow([label, ""])
        except csv.Error as error:
            raise ConfigError(f"{label} cannot be written as source.file_field: {error}",
                              hint="give source.quotechar or source.escapechar, or another name",
                              ) from None  # fmt: skip
        text = line.getvalue().removesuffix(self._dialect.quotechar * 2)
        return text.encode(self._dialect.text_encoding, "backslashreplace")

    def holds(self, mark: Mark) -> bool:
        """Whether the bytes are what they were, and are still the same number of records: a quote
        that was open at the end of a file may be closed by what was appended."""
        if not super().holds(mark):
            return False
        end = mark.offset + self._missing_end(mark)
        return self._records_before(end) == mark.seq

    def _missing_end(self, mark: Mark) -> int:
        """Length of the line end that the last record has got since."""
        if not mark.open_line:
            return 0
        number, offset = divmod(mark.offset, FILE_BYTES)
        with self.opened(self.paths[number], offset) as stream:
            return len(read_end(stream, self.newline(number)) or b"")

    def _records_before(self, offset: int) -> int | None:
        """How many records end up to this offset; None if one goes on there."""
        last, rest = divmod(offset, FILE_BYTES)
        total = 0
        for number in range(last + 1):
            until = rest if number == last else FILE_BYTES
            count = self._records_in(number, until)
            if count is None:
                return None
            total += count
        return total

    def _records_in(self, number: int, until: int) -> int | None:
        if not until:
            return 0
        header = self._header(number)
        count, at = 0, header.length
        with self.opened(self.paths[number], at) as stream:
            for size in CsvCutter(self._dialect, header.newline).sizes(stream.read):
                if at >= until:
                    break
                count, at = count + 1, at + size
        return count if at == until or until == FILE_BYTES else None


class CsvLines(LineReader):
    """Cuts a stream into records of CSV. The header lies in front of it."""

    def __init__(
        self, stream: Bytes, mark: Mark, dialect: CsvDialect, newline: bytes, place: Place
    ) -> None:
        super().__init__(stream, mark, dialect.max_record_bytes, place)
        self.newline = newline
        self._cutter = CsvCutter(dialect, newline)

    def cut(self, data: bytes, *, final: bool) -> tuple[list[Any], int]:
        lines, length = self._cutter.cut(data, final=final)
        if HEADED in data:
            lines = [UNHEADED + line if line.startswith(HEADED) else line for line in lines]
        return lines, length


def _skip(stream: Bytes, length: int, crc: int) -> int:
    """Read over the header; the CRC-32 with it."""
    while length:
        piece = stream.read(length)
        if not piece:
            raise SourceError("the source shrank while it was being read")
        crc = zlib.crc32(piece, crc)
        length -= len(piece)
    return crc
