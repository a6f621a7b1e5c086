"""How do records become a pandas frame, and its rows results? Imported only when asked for.

Everything comes out as it went in: a column that no type of pandas holds exactly, such as integers
among floats, is of dtype object. What is missing in pandas, in whichever way, is None.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]

from ..errors import WrongResult
from .columns import BOOL, FLOAT, INT, TEXT, UINT, Other, columns_of, kind_of_values
from .rows import check_count, check_names, listed, rows_of

_DTYPES: dict[str, tuple[str, str]] = {
    BOOL: ("bool", "boolean"),
    INT: ("int64", "Int64"),
    UINT: ("uint64", "UInt64"),
    FLOAT: ("float64", "float64"),
}
"""The dtypes of a kind of values, without and with missing ones."""

_PLAIN = {str, int, bool, list, dict, type(None)}
SHOWN = 5
"""How many labels of a wrong index are shown."""


class PandasFrames:
    """Batches as pandas.DataFrame, with a row for each record and an index of 0, 1, 2, …"""

    @staticmethod
    def pack(records: list[Any]) -> pd.DataFrame:
        columns = columns_of(records, "pandas")
        index = pd.RangeIndex(len(records))
        made = {name: _series(values, index) for name, values in columns.items()}
        return pd.DataFrame(made, index=index, copy=False)

    @staticmethod
    def unpack(result: Any, count: int) -> list[Any]:
        if not isinstance(result, pd.DataFrame):
            return listed(result, count, "a pandas.DataFrame, or a list")
        check_count(len(result), count, "rows")
        check_names(list(result.columns))
        _check_index(result.index, count)
        return rows_of({name: _values(column) for name, column in result.items()}, count)


def _series(values: list[Any], index: pd.RangeIndex) -> pd.Series:
    kind = kind_of_values(values)
    if kind == TEXT or kind == Other(datetime.datetime):
        return _inferred(values, index)
    if isinstance(kind, str) and kind in _DTYPES:
        return pd.Series(values, index=index, dtype=_DTYPES[kind][None in values])
    return pd.Series(values, index=index, dtype=object)


def _inferred(values: list[Any], index: pd.RangeIndex) -> pd.Series:
    """With the dtype that this version of pandas has for text and for times."""
    try:
        return pd.Series(values, index=index)
    except (ValueError, OverflowError):  # a lone surrogate, a year too far away
        return pd.Series(values, index=index, dtype=object)


def _check_index(index: Any, count: int) -> None:
    """Raise WrongResult unless the rows are labelled as they came.

    Sorting, sampling and dropping rows all show in the index, and nowhere else; an index of other
    labels would be lost.
    """
    if index.name is not None:
        raise WrongResult(
            f"process_batch returned a frame with the index {index.name!r}, which is no column; "
            "hint: result.reset_index() makes it one; its rows are to stand in the order of the "
            "records"
        )
    if not index.equals(pd.RangeIndex(count)):
        shown = ", ".join(map(repr, index[:SHOWN].tolist())) + (" …" if count > SHOWN else "")
        raise WrongResult(
            f"process_batch returned a frame with the index {shown} and not 0, 1, 2 …, so its rows "
            "may stand in another order than the records; hint: result.sort_index() if they were "
            "reordered, result.reset_index(drop=True) if they were not"
        )


def _values(column: pd.Series) -> list[Any]:
    """The column's cells as Python values, None for what is missing."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf" and not column.hasnans:
        return list(column.tolist())
    values: list[Any] = column.tolist()
    if set(map(type, values)) <= _PLAIN:
        return values
    return [_value(each) for each in values]


def _value(cell: Any) -> Any:
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat() if cell.nanosecond else cell.to_pydatetime()
    if isinstance(cell, pd.Timedelta):
        return cell.to_pytimedelta()
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    if isinstance(cell, np.generic):
        cell = cell.item()
    return None if isinstance(cell, float) and cell != cell else cell
