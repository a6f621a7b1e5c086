"""How are results found again in rows of CSV?"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..errors import Changed
from ..records import Columns
from .csv_cells import Cells, unguarded
from .csv_shape import CsvShape
from .json_rows import lines_of
from .rows import Row

MAX_ROW_BYTES = 64 << 20
"""A row that is longer has a quote that was never closed, and is not gathered any further."""

MARKS = frozenset({"1", "true", "yes", "y", "on", "x"})
"""What marks a row to be run again, in capitals or not."""


class CsvRows:
    """Rows of CSV below a header, if it has one. A row may go over several lines.

    All cells are text, so a record's key is compared as text, too.
    """

    kind = "CSV"

    def __init__(
        self, shape: CsvShape, columns: Columns | None = None, rerun_key: str | None = None
    ) -> None:
        self.columns = columns or Columns(shape.fieldnames)
        self._shape = shape
        self._rerun_key = rerun_key
        self._dialect: dict[str, Any] = {
            "delimiter": shape.delimiter,
            "quotechar": shape.quotechar,
        }

    @property
    def fields(self) -> tuple[str, ...] | None:
        return self.columns.names

    def head(self) -> bytes:
        """The header, once the columns are known."""
        names = self.columns.names
        if names is None:
            return b""
        header = Cells(self._shape).header(names) if self._shape.header else b""
        return self._shape.byte_order_mark + header

    def go_on(self, pieces: Iterable[bytes], name: str) -> None:
        """Go on with the columns of the output so far."""
        found = next(self.rows(pieces), None)
        if found is None or not found.is_head:
            return
        names = self._names_in(found)
        if names is None:
            raise Changed(f"the header of {name} cannot be read as CSV",
                          hint="put it back as it was, or start again with --restart")  # fmt: skip
        wanted = self._shape.fieldnames
        if wanted is not None and not _continues(names, wanted, self._rerun_key):
            raise Changed(
                f"{name} has the columns {_listed(names)}, and sink.fieldnames says "
                f"{_listed(wanted)}",
                hint="set sink.fieldnames to what the output has, or start again with --restart",
            )
        self.columns.names = names

    def rows(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        names = None if self._shape.header else self._shape.fieldnames

        def fits(raw: bytes) -> bool:
            cells = self._cells_in(raw)
            return cells is not None and (names is None or len(cells) == len(names))

        for raw, offset in _cut(pieces, self._shape.quotechar, fits):
            if self._shape.header and not offset:
                head = Row(raw, offset, None, is_head=True)
                names = self._names_in(head)
                yield head
                continue
            yield Row(raw, offset, _result_of(names, self._cells_in(raw, offset)))

    def key(self, key: Any) -> Any:
        return str(key)

    def is_marked(self, value: object) -> bool:
        return str(value).strip().lower() in MARKS

    def _names_in(self, head: Row) -> tuple[str, ...] | None:
        cells = self._cells_in(head.raw, head.offset)
        return tuple(cells) if cells and len(set(cells)) == len(cells) else None

    def _cells_in(self, raw: bytes, offset: int = 0) -> list[str] | None:
        """The cells of a row, or None if it is none."""
        if not offset:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if len(raw) > csv.field_size_limit():
            csv.field_size_limit(MAX_ROW_BYTES)
        try:
            rows = [*csv.reader([raw.decode(self._shape.codec)], strict=True, **self._dialect)]
        except (csv.Error, UnicodeDecodeError):
            return None
        if len(rows) != 1 or not rows[0]:
            return None
        return [*map(unguarded, rows[0])] if self._shape.guard_formulas else rows[0]


def _result_of(names: Sequence[str] | None, cells: Sequence[str] | None) -> dict[str, str] | None:
    if names is None or cells is None or len(names) != len(cells):
        return None
    return dict(zip(names, cells, strict=True))


def _continues(names: tuple[str, ...], wanted: tuple[str, ...], rerun_key: str | None) -> bool:
    """Whether these are the columns, but for one that was added to mark rows in."""
    return names == wanted or tuple(name for name in names if name != rerun_key) == wanted


def _cut(
    pieces: Iterable[bytes], quotechar: str, fits: Callable[[bytes], bool]
) -> Iterator[tuple[bytes, int]]:
    """The rows, without their last newline: what lies between newlines outside of quotes.

    Where a quote is not closed the line that opens it is a row by itself, which cannot be read, and
    the next row begins behind it.
    """
    quote = quotechar.encode()
    lines = _Lines(lines_of(pieces))
    held: list[tuple[bytes, int]] = []
    size = 0
    while True:
        line = next(lines, None)
        odd = line is not None and line[0].count(quote) % 2
        if line is not None and not held and not odd:
            yield line
            continue
        if line is not None:
            held.append(line)
            size += len(line[0]) + 1
        if not held:
            return
        closed = odd and len(held) > 1
        if line is not None and not closed and size <= MAX_ROW_BYTES:
            continue
        whole = b"\n".join([raw for raw, _ in held])
        if closed and fits(whole):
            yield whole, held[0][1]
        else:
            yield held[0]
            lines.again.extendleft(reversed(held[1:]))
        held, size = [], 0


class _Lines:
    """Lines, of which some can be handed back to be taken again."""

    def __init__(self, lines: Iterator[tuple[bytes, int]]) -> None:
        self.again: deque[tuple[bytes, int]] = deque()
        self._lines = lines

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> tuple[bytes, int]:
        return self.again.popleft() if self.again else next(self._lines)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
