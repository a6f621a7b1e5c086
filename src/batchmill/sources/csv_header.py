"""What stands at the beginning of a CSV file: the names of the columns, and how lines end?"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ConfigError
from ..formats.csv_dialect import CsvDialect, require_unlike
from .csv_cut import CsvCutter
from .lines import looks_wide

_COMMON = {",": ",", ";": ";", "\t": "\\t", "|": "|"}
"""Delimiters that files have, as a job file spells them."""

_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of a file: `length` bytes, in front of the first record."""

    names: tuple[str, ...] = ()
    """Empty where the file has no record, nor a header."""
    length: int = 0
    newline: bytes = b"\n"
    raw: bytes = b""
    """The names as the file spells them."""


def header_of(read: Callable[[int], bytes], dialect: CsvDialect, name: str) -> Header:
    """The header of the file of this name, which `read` reads from its beginning.

    Raises ConfigError for names that cannot be those of columns.
    """
    data = b""
    while True:
        piece = read(_READ_BYTES)
        data += piece
        header = _header_in(data, dialect, name, final=not piece)
        if header is not None:
            return header
        if len(data) > dialect.max_record_bytes:
            raise ConfigError(f"the header of {name} has no end",
                              hint="is there a quote that is not closed?")  # fmt: skip


def _header_in(data: bytes, dialect: CsvDialect, name: str, *, final: bool) -> Header | None:
    """None if the header goes on behind `data`."""
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    newline = _newline_of(data, dialect, final=final)
    if newline is None:
        return None
    if looks_wide(data):
        raise ConfigError(f"{name} looks like UTF-16 or UTF-32",
                          hint='source.encoding = "utf-16"')  # fmt: skip
    if dialect.fieldnames is not None:
        return Header(dialect.fieldnames, start, newline)
    cutter = CsvCutter(dialect, newline)
    while start < len(data):
        end = cutter.end_of(data, start, final=final)
        if end is None:
            return None
        raw = data[start:end].rstrip(b"\r\n")
        if raw:
            return Header(names_in(raw, dialect, name), end, newline, raw)
        start = end
    return Header((), start, newline) if final else None


def _newline_of(data: bytes, dialect: CsvDialect, *, final: bool) -> bytes | None:
    """With what lines end, told by the first that does: a lone carriage return, or a newline."""
    quote = re.escape(dialect.bytes_of(dialect.quotechar))
    quoted = quote + b"[^" + quote + b"]*(?:" + quote + b"|$)|" if quote else b""
    for found in re.finditer(quoted + rb"\r*\n|\r+", data):
        if found[0].endswith(b"\n") and found[0].strip(b"\r") == b"\n":
            return b"\n"
        if found[0].strip(b"\r") == b"" and found.end() < len(data):
            return b"\r"
    return b"\n" if final else None


def names_in(raw: bytes, dialect: CsvDialect, name: str) -> tuple[str, ...]:
    """The names in a header. Raises ConfigError."""
    try:
        text = raw.decode(dialect.text_encoding)
        names = tuple(next(csv.reader([text], **dialect.for_csv())))
    except UnicodeDecodeError:
        raise ConfigError(f"the header of {name} is not {dialect.encoding}",
                          hint='source.encoding = "cp1252", or what it is') from None  # fmt: skip
    except csv.Error as error:
        raise ConfigError(f"the header of {name} cannot be read: {error}",
                          hint="mend the quotes in the first line") from None  # fmt: skip
    if "\0" in text:
        raise ConfigError(f"the header of {name} has a NUL byte", hint="is it a CSV file?")
    require_unlike(names, f"the header of {name}", "rename columns in the first line; or take that"
                   " line out and give source.fieldnames")  # fmt: skip
    _require_delimiter(names, dialect, name)
    return names


def _require_delimiter(names: tuple[str, ...], dialect: CsvDialect, name: str) -> None:
    """One column whose name looks like several is a wrong delimiter, unless that was given."""
    if len(names) > 1 or dialect.is_given:
        return
    other = next((each for each in _COMMON if each in names[0]), None)
    if other is not None:
        shown, own = _COMMON[other], _COMMON[dialect.delimiter]
        raise ConfigError(
            f"the header of {name} has one column, {names[0][:80]!r}",
            hint=f'is it separated by "{shown}"? source.delimiter = "{shown}"; if it is one '
            f'column: source.delimiter = "{own}"',
        )
