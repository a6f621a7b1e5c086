"""How do records become a polars frame, and its rows results? Imported only when asked for.

Integers among floats become floats, if each of them is one exactly. A column that no type of polars
holds is of dtype Object: Python's own values, which go through a frame but not into expressions.
"""

from __future__ import annotations

from typing import Any

import polars as pl  # type: ignore[import-not-found, unused-ignore]

from ..errors import InvalidRecord, WrongResult
from .columns import (
    BOOL,
    BYTES,
    FLOAT,
    INT,
    MISSING,
    NUMBER,
    TEXT,
    UINT,
    Fields,
    Kind,
    ListOf,
    Other,
    columns_of,
    kind_of_values,
)
from .rows import check_count, check_names, listed, rows_of

_TYPES: dict[str, Any] = {MISSING: pl.Null, BOOL: pl.Boolean, INT: pl.Int64, UINT: pl.UInt64,
                          FLOAT: pl.Float64, NUMBER: pl.Float64, TEXT: pl.String,
                          BYTES: pl.Binary}  # fmt: skip


class PolarsFrames:
    """Batches as polars.DataFrame, with a row for each record."""

    @staticmethod
    def pack(records: list[Any]) -> pl.DataFrame:
        columns = columns_of(records, "polars")
        if records and not columns:
            raise InvalidRecord("no record of the batch has a field, and a polars frame without "
                                'columns has no rows; hint: batch_format = "list"')  # fmt: skip
        return pl.DataFrame({name: _series(values) for name, values in columns.items()})

    @staticmethod
    def unpack(result: Any, count: int) -> list[Any]:
        if isinstance(result, pl.LazyFrame):
            raise WrongResult(f"process_batch returned a polars.LazyFrame for {count} records; "
                              "hint: result.collect()")  # fmt: skip
        if not isinstance(result, pl.DataFrame):
            return listed(result, count, "a polars.DataFrame, or a list")
        check_count(result.height, count, "rows")
        check_names(result.columns)
        columns = {each.name: _values(each) for each in result.get_columns()}
        return rows_of(columns, count)


def _series(values: list[Any]) -> pl.Series:
    kind = kind_of_values(values)
    dtype = None if isinstance(kind, Other) else _dtype_of(kind)
    try:
        return pl.Series(values=values, dtype=dtype)
    except (pl.exceptions.PolarsError, ValueError, TypeError, OverflowError):
        return pl.Series(values=values, dtype=pl.Object)


def _dtype_of(kind: Kind) -> Any:
    """The dtype for a kind of values. Polars left to itself would look at the first values only,
    and leave out the fields that come later."""
    if isinstance(kind, str):
        return _TYPES.get(kind, pl.Object)
    if isinstance(kind, ListOf):
        items = _dtype_of(kind.items)
        return pl.Object if items == pl.Object else pl.List(items)
    if isinstance(kind, Fields):
        types = {name: _dtype_of(each) for name, each in kind.fields.items()}
        return pl.Object if pl.Object in types.values() else pl.Struct(types)
    return pl.Object


def _values(column: pl.Series) -> list[Any]:
    """The column's cells as Python values."""
    if _holds_nanoseconds(column.dtype):
        column = _microseconds(column)
    return column.to_list()


def _holds_nanoseconds(dtype: Any) -> bool:
    """Whether there may be times here, at any depth, that are finer than Python's."""
    if isinstance(dtype, pl.Struct):
        return any(_holds_nanoseconds(field.dtype) for field in dtype.fields)
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_nanoseconds(dtype.inner)
    return dtype == pl.Time or getattr(dtype, "time_unit", None) == "ns"


def _microseconds(column: pl.Series) -> pl.Series:
    """Times of nanoseconds as Python has them, if nothing is lost by it."""
    if isinstance(column.dtype, pl.Datetime | pl.Duration):
        coarse = column.dt.cast_time_unit("us")
        if (coarse.dt.cast_time_unit("ns") == column).all():
            return coarse
    if column.dtype == pl.Time and (column.dt.nanosecond() % 1000 == 0).all():
        return column
    raise WrongResult(
        f"process_batch returned {column.dtype} in the column {column.name!r}, which a time in "
        "Python cannot hold exactly; hint: cast it to microseconds, or to strings"
    )
