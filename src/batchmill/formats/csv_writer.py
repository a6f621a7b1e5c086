"""How are results written as rows of CSV?"""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Callable, Sequence, Set
from operator import itemgetter
from types import GeneratorType
from typing import Any, Literal, NamedTuple

from ..errors import ConfigError, RecordError, UnencodableResult
from ..records import Columns
from .csv_cells import Cells
from .csv_shape import CsvShape
from .encode import SEVERAL, fields_of, no_result
from .forgotten import refuse_forgotten

Row = dict[str, Any]

_LEARNING = threading.Lock()
"""Held while the columns are settled, once a run."""


class Layout(NamedTuple):
    """What is worked out once from the columns."""

    names: tuple[str, ...] | None = None
    known: Set[str] = frozenset()
    pick: Callable[[Row], Sequence[Any]] = tuple
    delimiters: int = 0


class CsvWriter:
    """A row for every result, its cells as `Cells` writes them.

    The columns are those of `columns` once they are known: given, or of the output so far; else
    they are those of the first result that is encoded. A column that a result does not have is an
    empty cell; a result that has others is an UnencodableResult.
    """

    join = staticmethod(b"".join)
    empty: bytes | None = b""

    def __init__(self, shape: CsvShape, columns: Columns | None = None) -> None:
        self._columns = columns or Columns(shape.fieldnames)
        self.columns: Columns | None = self._columns
        self._shape = shape
        self._cells = Cells(shape)
        _check_names(self._cells, shape.fieldnames)
        self._layout = Layout()
        self._fast: Callable[[Row], bytes] | None = None
        """Encodes most rows, once the columns are known."""

    def __reduce__(self) -> tuple[Any, ...]:
        return CsvWriter, (self._shape, self._columns)

    def encode(self, result: Any) -> bytes:
        """The row of one result, or the rows of a list of results."""
        fast = self._fast
        try:
            if fast is None or type(result) is not dict:
                return self._encode_other(result)
            return fast(result)
        except RecordError:
            refuse_forgotten(() if isinstance(result, GeneratorType) else result)
            raise

    def _encode_other(self, result: Any) -> bytes:
        rows = _rows_of(result)
        names = self._columns.names
        if names is None and rows:
            self._learn(rows)
            names = self._columns.names
        if names is not None and self._fast is None:
            self._layout = _layout_of(names)
            self._fast = _fast(self._shape, self._layout, self._encode_row)
        return b"".join(map(self._encode_row, rows))

    def _learn(self, rows: Sequence[Row]) -> None:
        """Settle the columns: those of the first result, if it can be written with them."""
        if not rows[0]:
            raise UnencodableResult(
                "the result is empty, and the output has no columns yet; hint: sink.fieldnames"
            )
        names = tuple(map(_name, rows[0]))
        self._cells.header(names)
        layout = _layout_of(names)
        for row in rows:
            self._cells.line(names, _values(row, layout))
        with _LEARNING:
            if self._columns.names is None:
                self._columns.names = names

    def _encode_row(self, row: Row) -> bytes:
        layout = self._layout
        assert layout.names is not None
        return self._cells.line(layout.names, _values(row, layout))


def _fast(
    shape: CsvShape, layout: Layout, careful: Callable[[Row], bytes]
) -> Callable[[Row], bytes]:
    """As `careful`, in a fraction of the time.

    Nearly every row holds nothing that needs quotes. Gluing the cells together and looking at the
    whole for what would is twice as fast as csv.writer, which looks at every character.
    """
    if shape.guard_formulas or shape.quoting == "nonnumeric":
        return careful
    pick, delimiters, width = layout.pick, layout.delimiters, len(layout.names or ())
    delimiter, quote, end, codec = (
        shape.delimiter, shape.quotechar, shape.lineterminator, shape.codec,
    )  # fmt: skip
    bare, glue, quoted = shape.quoting == "minimal", delimiter.join, _quoting(shape)

    mixed = False  # Whether a result was found whose cells are not all text: others are likely.

    def encode(row: Row) -> bytes:
        nonlocal mixed
        if len(row) != width:
            return careful(row)
        try:
            values = pick(row)
            if mixed:
                values = [v if type(v) is str else _TEXTS[type(v)](v) for v in values]
            text = glue(values)
            if "\0" in text or not text:
                return careful(row)
            special = quote in text or "\n" in text or "\r" in text
            if special or not bare or text.count(delimiter) != delimiters:
                text = quoted(values)[:-2]
            return (text + end).encode(codec)
        except TypeError:
            mixed = True
        except (KeyError, ValueError):
            pass
        return careful(row)

    return encode


def _quoting(shape: CsvShape) -> Callable[[Sequence[str]], str]:
    """csv.writer's function for a row, which ends it with two characters. Ends of lines are quoted
    of either kind, whichever is written."""
    quoting: Literal[0, 1] = csv.QUOTE_MINIMAL if shape.quoting == "minimal" else csv.QUOTE_ALL
    write: Callable[[Sequence[str]], str] = csv.writer(
        _Echo(), delimiter=shape.delimiter, quotechar=shape.quotechar, quoting=quoting,
        lineterminator="\r\n",
    ).writerow  # fmt: skip
    return write


def _check_names(cells: Cells, names: Sequence[str] | None) -> None:
    """Raises ConfigError for columns that no header could name."""
    try:
        cells.header(names or ())
    except UnencodableResult as error:
        raise ConfigError(f"sink.fieldnames cannot be written: {error}") from None


def _layout_of(names: tuple[str, ...]) -> Layout:
    pick: Callable[[Row], Sequence[Any]] = itemgetter(*names)
    if len(names) == 1:
        pick = _Only(names[0])
    return Layout(names, frozenset(names), pick, len(names) - 1)


class _Only:
    """What itemgetter does, for one name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, row: Row) -> Sequence[Any]:
        return (row[self._name],)


def _values(row: Row, layout: Layout) -> list[Any]:
    assert layout.names is not None
    if not layout.known >= row.keys():
        raise _strange(row, layout.names)
    return [row.get(name) for name in layout.names]


def _strange(row: Row, names: Sequence[str]) -> UnencodableResult:
    more = ", ".join(repr(name) for name in row if name not in names)
    return UnencodableResult(
        f"the result has {more}, and the output's columns are {', '.join(names)}; hint: name all"
        " columns in sink.fieldnames, or leave it out of the result"
    )


def _name(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise UnencodableResult(
        f"result has the key {key!r} ({type(key).__name__}), and a column's name is a string; "
        f"hint: str({key!r})"
    )


def _rows_of(result: Any) -> list[Row]:
    return [_row(item) for item in result] if isinstance(result, SEVERAL) else [_row(result)]


def _row(result: Any) -> Row:
    row = result if isinstance(result, dict) else fields_of(result)
    if row is None:
        raise no_result(result)
    return row


def _finite(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    raise ValueError(value)


class _Echo:
    """What csv.writer writes to: it returns what this returns."""

    write = str


_TEXTS: dict[type, Callable[[Any], str]] = {
    int: str, float: _finite, bool: str, type(None): lambda _: "",
}  # fmt: skip
"""How what is found in most rows besides text is written; all else goes the careful way."""
