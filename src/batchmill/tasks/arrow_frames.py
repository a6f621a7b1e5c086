"""How do records become an Arrow table, and its rows results? Imported only when asked for.

A column has one type. Integers among floats become floats, if each of them is one exactly;
integers beyond 64 bits become decimals without digits behind the point, which come out as integers.
"""

from __future__ import annotations

import decimal
from typing import Any

import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]

from ..errors import InvalidRecord, WrongResult
from .columns import (
    BOOL,
    BYTES,
    FLOAT,
    HUGE,
    INT,
    MISSING,
    MIXED,
    NUMBER,
    TEXT,
    UINT,
    Fields,
    Kind,
    ListOf,
    columns_of,
    kind_of_values,
)
from .rows import check_count, check_names, listed, rows_of

_TYPES = {MISSING: pa.null(), BOOL: pa.bool_(), INT: pa.int64(), UINT: pa.uint64(),
          HUGE: pa.decimal256(76, 0), FLOAT: pa.float64(), NUMBER: pa.float64(),
          TEXT: pa.string(), BYTES: pa.binary()}  # fmt: skip

_HINT = 'make it one type in the source, or use batch_format = "list" or "pandas"'


class ArrowFrames:
    """Batches as pyarrow.Table, with a row for each record."""

    @staticmethod
    def pack(records: list[Any]) -> pa.Table:
        columns = columns_of(records, "Arrow")
        arrays = [_array(name, values) for name, values in columns.items()]
        if arrays:
            return pa.Table.from_arrays(arrays, names=list(columns))
        # A table made of no columns has no rows; one made of structs has them.
        empty = pa.array([{} for _ in records], pa.struct([]))
        return pa.Table.from_batches([pa.RecordBatch.from_struct_array(empty)])

    @staticmethod
    def unpack(result: Any, count: int) -> list[Any]:
        if not isinstance(result, pa.Table | pa.RecordBatch):
            return listed(result, count, "a pyarrow.Table, or a list")
        check_count(result.num_rows, count, "rows")
        names = list(result.schema.names)
        check_names(names)
        columns = {name: _values(name, result.column(n)) for n, name in enumerate(names)}
        return rows_of(columns, count)


def _array(name: str, values: list[Any]) -> pa.Array:
    kind = kind_of_values(values)
    if kind == MIXED:
        raise InvalidRecord(f"column {name!r} holds values of several types, and an Arrow column "
                            f"has one; hint: {_HINT}")  # fmt: skip
    try:
        return pa.array(values, _type_of(kind))
    except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
        raise InvalidRecord(f"column {name!r} cannot be an Arrow column: {error}; hint: "
                            f"{_HINT}") from None  # fmt: skip


def _type_of(kind: Kind) -> pa.DataType | None:
    """The type for a kind of values; None where Arrow knows it from the values themselves."""
    if isinstance(kind, str):
        return _TYPES[kind]
    if isinstance(kind, ListOf):
        items = _type_of(kind.items)
        return None if items is None else pa.list_(items)
    if isinstance(kind, Fields):
        types = {name: _type_of(each) for name, each in kind.fields.items()}
        return None if None in types.values() else pa.struct(list(types.items()))
    return None


def _values(name: str, column: Any) -> list[Any]:
    """The column's cells as Python values."""
    if _holds_nanoseconds(column.type):
        column = _microseconds(name, column)
    kind = str(column.type)
    # Older versions of pyarrow do not know the option, and have no other way for maps.
    how = {"maps_as_pydicts": "strict"} if "map<" in kind else {}
    values: list[Any] = column.to_pylist(**how)
    return [_whole(each) for each in values] if "decimal" in kind else values


def _holds_nanoseconds(kind: pa.DataType) -> bool:
    """Whether there are times here, at any depth, that are finer than Python's."""
    if kind.num_fields:
        return any(_holds_nanoseconds(kind.field(n).type) for n in range(kind.num_fields))
    return getattr(kind, "unit", None) == "ns"


def _microseconds(name: str, column: Any) -> Any:
    """Times of nanoseconds as Python has them, if nothing is lost by it."""
    kind = column.type
    try:
        if pa.types.is_timestamp(kind):
            return column.cast(pa.timestamp("us", kind.tz))
        if pa.types.is_duration(kind):
            return column.cast(pa.duration("us"))
        if pa.types.is_time64(kind):
            return column.cast(pa.time64("us"))
    except pa.ArrowInvalid:
        pass
    raise WrongResult(
        f"process_batch returned {kind} in the column {name!r}, which a time in Python cannot hold "
        "exactly; hint: cast it to microseconds, or to strings"
    )


def _whole(cell: Any) -> Any:
    """A decimal without digits behind the point as the integer it is, nested ones too."""
    if isinstance(cell, decimal.Decimal):
        return int(cell) if cell.as_tuple().exponent == 0 else cell
    if isinstance(cell, list):
        return [_whole(each) for each in cell]
    if isinstance(cell, dict):
        return {name: _whole(each) for name, each in cell.items()}
    return cell
