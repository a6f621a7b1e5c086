"""How is a value written as a cell of CSV, and read again?"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from ..errors import UnencodableResult
from .csv_shape import CsvShape
from .encode import encode_value

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet may take for a formula (OWASP, CSV Injection)."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Cells:
    """Rows, written with care for every cell: what has to be quoted or guarded is, and what cannot
    be carried is refused.

    Text is written as it is, None as an empty cell, numbers and booleans as Python spells them,
    lists and dicts as JSON, and what JSON has as text (dates, UUIDs) as that text.
    """

    def __init__(self, shape: CsvShape) -> None:
        self._shape = shape
        special = {shape.delimiter, shape.quotechar, "\r", "\n"}
        self._special = re.compile("[" + re.escape("".join(sorted(special))) + "]")
        self._doubled = shape.quotechar * 2

    def header(self, names: Sequence[str]) -> bytes:
        """The row of the columns' names. Raises UnencodableResult."""
        spelled = [guarded(name) for name in names] if self._shape.guard_formulas else names
        if len(set(spelled)) < len(names):
            raise UnencodableResult("two columns have the same name once formulas are guarded")
        return self.line(names, names)

    def line(self, names: Sequence[str], values: Sequence[Any]) -> bytes:
        """One row. Raises UnencodableResult that names the column."""
        shape = self._shape
        cells = [self._cell(name, value) for name, value in zip(names, values, strict=True)]
        text = shape.delimiter.join(cells) or shape.quotechar * 2
        try:
            return (text + shape.lineterminator).encode(shape.codec)
        except UnicodeEncodeError:
            raise self._not_encodable(names, values) from None

    def _cell(self, name: str, value: Any) -> str:
        text, is_number = _text_of(value, f"result[{name!r}]")
        if "\0" in text:
            raise UnencodableResult(
                f"result[{name!r}] holds a NUL character, which most readers of CSV refuse; hint: "
                r"value.replace('\0', '')"
            )
        if self._shape.guard_formulas and not is_number:
            text = guarded(text)
        return self._quoted(text, is_number)

    def _quoted(self, text: str, is_number: bool) -> str:
        quoting = self._shape.quoting
        needed = quoting == "all" or (quoting == "nonnumeric" and not is_number)
        if not needed and not self._special.search(text):
            return text
        quote = self._shape.quotechar
        return f"{quote}{text.replace(quote, self._doubled)}{quote}"

    def _not_encodable(self, names: Sequence[str], values: Sequence[Any]) -> UnencodableResult:
        encoding = self._shape.encoding
        for name, value in zip(names, values, strict=True):
            text, _ = _text_of(value, name)
            try:
                text.encode(self._shape.codec)
            except UnicodeEncodeError as error:
                char = text[error.start]
                return UnencodableResult(
                    f"result[{name!r}] holds {char!a}, which {encoding} cannot carry; hint: "
                    + _remedy(char)
                )
        return UnencodableResult(f"the names of the columns hold what {encoding} cannot carry")


def _remedy(char: str) -> str:
    if "\ud800" <= char <= "\udfff":
        return "value.encode(errors='replace').decode()"
    return 'sink.encoding = "utf-8", or "utf-8-sig" for Excel'


def guarded(text: str) -> str:
    """With an apostrophe before what a spreadsheet may take for a formula. Numbers are none."""
    return f"'{text}" if text.startswith(FORMULA) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """Text as it was before it was guarded."""
    return text[1:] if text[:1] == "'" and guarded(text[1:]) == text else text


def _text_of(value: Any, place: str) -> tuple[str, bool]:
    """The text of a cell, and whether it is a number."""
    if value is None:
        return "", False
    if isinstance(value, str):
        return str.__str__(value), False
    if isinstance(value, bool):
        return str(value), False
    if type(value) is float and math.isfinite(value):
        return repr(value), True
    if isinstance(value, Decimal) and value.is_finite():
        return str(value), True
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise UnencodableResult(f"{place} is {value}, which is no number that CSV can carry; hint: "
                                "return None or a string for it")  # fmt: skip
    return _json_of(value, place)


def _json_of(value: Any, place: str) -> tuple[str, bool]:
    try:
        line = encode_value(value, place)[:-1]
    except UnencodableResult as error:
        raise UnencodableResult(str(error).replace("JSON cannot", "CSV cannot")) from None
    if line.startswith(b'"'):
        return str(orjson.loads(line)), False
    return line.decode(), isinstance(value, int | float)
