"""How are records of CSV read, where the task runs?"""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

from ..errors import InvalidRecord, MissingKey, RecordError, RecordTooLarge
from ..records import Oversized
from ..sources.csv_files import HEADED
from .csv_dialect import CsvDialect
from .keys import key_in
from .typed_row import RowConverter

Row = dict[str, str]


class CsvReader:
    """Records of CSV as dicts of strings, in the order of the header; or as `convert` makes them.

    Built from plain values, so that it can be sent to another process and made again there.
    """

    def __init__(
        self,
        dialect: CsvDialect,
        names: tuple[str, ...],
        key: str | None = None,
        convert: RowConverter | None = None,
    ) -> None:
        self._made_of = dialect, names, key, convert
        self._dialect = dialect
        self._names = names
        self._front = (dialect.file_field,) if dialect.file_field else ()
        # A dialect of the csv module's own, which need not be made for every record.
        self._csv: Any = csv.reader((), **dialect.for_csv()).dialect
        self._headers: dict[bytes, tuple[str, ...]] = {}
        self._key = key
        self._convert = convert
        # The limit is one for the whole process; no field is longer than a record.
        csv.field_size_limit(max(csv.field_size_limit(), dialect.max_record_bytes))
        rows: Callable[[Any], Row] = self._row
        if not dialect.escapechar:
            rows = _fast(dialect, self._csv, self._front + names, self._row)
        self._plain: Callable[[Any], Any] = _converted(rows, convert) if convert else rows
        self.decode = self._decode_keyed if key else self._plain

    def __reduce__(self) -> tuple[Any, ...]:
        return CsvReader, self._made_of

    def _decode_keyed(self, raw: Any) -> Any:
        record = self._plain(raw)
        key_in(record, self._key or "")
        return record

    def key_of(self, raw: Any) -> str | int | None:
        """The record's key, or None if it has none or cannot be read."""
        if self._key is None:
            return None
        try:
            return key_in(self._plain(raw), self._key)
        except Exception:
            return None

    def explain(self, error: Exception, raw: Any) -> Exception | None:
        if isinstance(raw, Oversized):
            return RecordTooLarge(f"the record has {raw.length} bytes; hint: raise "
                                  "source.max_record_bytes")  # fmt: skip
        if isinstance(error, RecordError):
            return None if self._is_blank(raw) and not isinstance(error, MissingKey) else error
        if isinstance(error, UnicodeDecodeError):
            return InvalidRecord(f"not {self._dialect.text_encoding}: {error.reason}; hint: "
                                 "source.encoding")  # fmt: skip
        return self._convert.explain(error) if self._convert else InvalidRecord(str(error))

    def _is_blank(self, raw: bytes) -> bool:
        """Nothing, or spaces where there is more than one column."""
        return not (raw.strip() if len(self._names) > 1 else raw)

    def _row(self, raw: Any) -> Row:
        """Any record, with all there is to be said against it."""
        names = self._names
        if raw[:1] == HEADED:
            header, _, raw = raw[1:].partition(HEADED)
            names = self._names_in(header)
        text = raw.decode(self._dialect.text_encoding)
        if "\0" in text:
            raise InvalidRecord("the record has a NUL byte")
        names = self._front + names
        try:
            cells = next(csv.reader((text,), self._csv), [])
        except csv.Error as error:
            raise InvalidRecord(self._mistake(text, names, str(error))) from None
        if len(cells) != len(names):
            raise InvalidRecord(self._ragged(cells, names, text))
        return dict(zip(names, cells, strict=True))

    def _names_in(self, header: bytes) -> tuple[str, ...]:
        if not header:
            raise InvalidRecord("the record has a NUL byte")
        names = self._headers.get(header)
        if names is None:
            text = header.decode(self._dialect.text_encoding)
            names = self._headers[header] = tuple(next(csv.reader((text,), self._csv)))
        return names

    def _mistake(self, text: str, names: tuple[str, ...], error: str) -> str:
        if "unexpected end of data" in error:
            cells = next(csv.reader((text,), self._csv, strict=False), [])
            at = len(cells) - 1
            name = f" ({names[at]!r})" if at < len(names) else ""
            return f"the quote that opens field {len(cells) - len(self._front)}{name} is not closed"
        if "new-line character" in error:
            return "a carriage return stands outside of quotes"
        return f"a quoted field goes on behind its closing quote: {error}"

    def _ragged(self, cells: list[str], names: tuple[str, ...], text: str) -> str:
        front = len(self._front)
        found, wanted = len(cells) - front, len(names) - front
        told = f"the record has {found} {'field' if found == 1 else 'fields'}, not {wanted}"
        if found < wanted:
            told += f": {names[len(cells)]!r} is missing"
        lines = text.count("\n") + 1
        return f"{told}, over {lines} lines: is a quote not closed?" if lines > 1 else told


def _fast(
    dialect: CsvDialect, parsed: Any, names: tuple[str, ...], careful: Callable[[Any], Row]
) -> Callable[[Any], Row]:
    """As `careful`, in half the time or less. Where no field is in quotes, or all are and quotes
    are at their ends only, fields are what stands between delimiters."""
    count = len(names)
    if count == 1:
        return careful
    encoding, delimiter = dialect.text_encoding, dialect.delimiter
    quote = dialect.quotechar or "\0"
    between = quote + delimiter + quote

    def decode(raw: Any) -> Row:
        text = raw.decode(encoding)
        if quote in text or "\n" in text or "\r" in text or "\0" in text:
            if "\0" in text:
                return careful(raw)
            if text.count(quote) == 2 * count and text[0] == text[-1] == quote:
                cells = text[1:-1].split(between)
            else:
                cells = parse(text)
        else:
            cells = text.split(delimiter)
        if len(cells) != count:
            return careful(raw)
        return dict(zip(names, cells))  # noqa: B905 - as many of both

    def parse(text: str) -> list[str]:
        try:
            return next(csv.reader((text,), parsed), [])
        except csv.Error:
            return []

    return decode


def _converted(rows: Callable[[Any], Row], convert: Callable[[Row], Any]) -> Callable[[Any], Any]:
    def decode(raw: Any) -> Any:
        return convert(rows(raw))

    return decode
