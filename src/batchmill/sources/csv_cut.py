"""Where does a record of CSV end?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..formats.csv_dialect import CsvDialect

_READ_BYTES = 1 << 17
_BROKEN, _OPEN = -1, -2
_LONGEST_SIGN = 4
"""Bytes that a delimiter or quote has at most, in UTF-8."""


class CsvCutter:
    """Cuts bytes at the ends of records, without parsing every field.

    A line with an even number of quotes is a record. One with an odd number is looked at as the
    csv module would: if it ends inside quotes, the record goes on, until the quote is closed. A
    quote that is not closed within `max_record_bytes`, or is closed in the middle of a field, is a
    mistake, and of its record only the first line is taken: the next line begins another one.

    Where a record ends depends on its bytes alone, unless a quote is open at the end of the file.
    """

    def __init__(self, dialect: CsvDialect, newline: bytes = b"\n") -> None:
        self._newline = newline
        self._max = dialect.max_record_bytes
        self._quote = dialect.bytes_of(dialect.quotechar)
        self._delimiter = dialect.bytes_of(dialect.delimiter)
        self._escape = dialect.bytes_of(dialect.escapechar)
        self._doubled = dialect.doublequote
        self._signs = [sign for sign in (self._quote, self._escape) if sign]
        escaped = re.escape(self._escape) + b"."
        quotes = [re.escape(self._quote) * (2 if self._doubled else 1), re.escape(self._quote)]
        ends = [re.escape(self._delimiter), re.escape(newline)]
        self._in_quotes = re.compile(b"|".join([escaped, *quotes]), re.DOTALL)
        self._in_plain = re.compile(b"|".join([escaped, *ends]), re.DOTALL)

    def cut(self, data: bytes, *, final: bool) -> tuple[list[bytes], int]:
        """The records that are whole in `data`, which begins with one, and how far they reach."""
        *lines, rest = data.split(self._newline)
        length = len(data) - len(rest)
        if any(sign in data for sign in self._signs):
            lines, length = self._joined(data, lines, length, final=final)
            rest = data[length:]
        if final and rest:
            lines.append(rest)
            length = len(data)
        if self._newline == b"\n" and b"\r" in data:
            most = self._max
            lines = [line.rstrip(b"\r") if len(line) <= most else line for line in lines]
        return lines, length

    def _joined(
        self, data: bytes, lines: list[bytes], length: int, *, final: bool
    ) -> tuple[list[bytes], int]:
        """The lines, those of one record joined; and how far they reach."""
        records: list[bytes] = []
        at = start = 0
        for number in self._suspects(lines):
            if number < at:
                continue
            records += lines[at:number]
            start += sum(map(len, lines[at:number])) + number - at
            end = self._end_of_suspect(data, start, final=final)
            if end is None:
                return records, start
            whole = data[start:end].removesuffix(self._newline)
            records.append(whole)
            at, start = number + 1 + whole.count(self._newline), end
        return records + lines[at:], max(length, start)

    def _suspects(self, lines: list[bytes]) -> list[int]:
        """Numbers of the lines that may end inside a record."""
        quote, escape = self._quote, self._escape
        if escape:
            return [n for n, line in enumerate(lines)
                    if escape in line or (quote and line.count(quote) & 1)]  # fmt: skip
        return [n for n, line in enumerate(lines) if line.count(quote) & 1]

    def end_of(self, data: bytes, start: int, *, final: bool) -> int | None:
        """Where the record that begins at `start` ends, its line end included; None if that cannot
        be told without the bytes that follow."""
        line_end = data.find(self._newline, start) + 1
        if line_end and not self._suspects([data[start:line_end]]):
            return line_end
        return self._end_of_suspect(data, start, final=final)

    def _end_of_suspect(self, data: bytes, start: int, *, final: bool) -> int | None:
        end = self._end_of_whole(data, start, final=final)
        if end >= 0 and end - start - (data[end - 1 : end] == self._newline) <= self._max:
            return end
        if end == _OPEN and not final and len(data) - start <= self._max:
            return None
        line_end = data.find(self._newline, start) + 1
        return line_end or (len(data) if final else None)

    def sizes(self, read: Callable[[int], bytes]) -> Iterator[int]:
        """The bytes of each record, line end included: slower, and told one by one."""
        data, at, final = b"", 0, False
        while not final or at < len(data):
            end = self.end_of(data, at, final=final) if at < len(data) else None
            if end is not None:
                yield end - at
                at = end
            elif len(data) - at > 2 * self._max and self._newline not in data[at:]:
                head = len(data) - at
                data, at = b"", 0
                size, data = _to_line_end(read, self._newline)
                yield head + size
            else:
                piece = read(max(_READ_BYTES, len(data) - at))
                data, at, final = data[at:] + piece, 0, not piece

    def _end_of_whole(self, data: bytes, start: int, *, final: bool) -> int:
        """Where it ends if every quote is closed; else _BROKEN, or _OPEN at the end of data."""
        quote, delimiter, newline = self._quote, self._delimiter, self._newline
        at, line_end = start, -1
        while True:
            if quote and data.startswith(quote, at):
                at = self._behind_quotes(data, at + len(quote))
                if at < 0:
                    return _OPEN
                if data.startswith(delimiter, at):
                    at += len(delimiter)
                    continue
                if data.startswith(newline, at):
                    return at + len(newline)
                return self._behind_closed(data, at, final=final)
            if self._escape:
                at = self._behind_escapes(data, at)
            if line_end < at:
                line_end = data.find(newline, at)
                if line_end < 0:
                    return len(data) if final else _OPEN
            at = data.find(delimiter, at, line_end) + len(delimiter)
            if at < len(delimiter):
                return line_end + len(newline)

    def _behind_escapes(self, data: bytes, at: int) -> int:
        """The place in a field without quotes behind which nothing is escaped."""
        for found in self._in_plain.finditer(data, at):
            if found[0] in (self._delimiter, self._newline):
                return found.start()
        return len(data)

    def _behind_closed(self, data: bytes, at: int, *, final: bool) -> int:
        """Where the record ends if nothing but a line end stands behind a closing quote."""
        behind = at
        while self._newline == b"\n" and data.startswith(b"\r", behind):
            behind += 1
        if behind > at and data.startswith(b"\n", behind):
            return behind + 1
        if behind == len(data):
            return len(data) if final else _OPEN
        return _OPEN if not final and len(data) - at < _LONGEST_SIGN else _BROKEN

    def _behind_quotes(self, data: bytes, at: int) -> int:
        """The place behind the quote that closes the field; -1 if there is none."""
        if self._escape:
            for found in self._in_quotes.finditer(data, at, at + self._max + 1):
                if found[0] == self._quote:
                    return found.end()
            return -1
        quote, most, doubled = self._quote, at + self._max + 1, self._doubled
        while (at := data.find(quote, at, most)) >= 0:
            at += len(quote)
            if not (doubled and data.startswith(quote, at)):
                return at
            at += len(quote)
        return -1


def _to_line_end(read: Callable[[int], bytes], newline: bytes) -> tuple[int, bytes]:
    """How many bytes there are up to the next line end; and what was read behind it."""
    size = 0
    while piece := read(_READ_BYTES):
        end = piece.find(newline) + 1
        if end:
            return size + end, piece[end:]
        size += len(piece)
    return size, b""
