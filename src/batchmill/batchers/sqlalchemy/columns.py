"""What does a caller mean by a model and by a column?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from ...errors import ConfigError

Values = Mapping[str, Any]
"""Values by the key of their column in the table."""


def table_of(model: Any) -> sa.Table:
    """The table of a mapped class, or the table itself. Raises ConfigError for anything else."""
    found = sa.inspect(model, raiseerr=False)
    table = found.local_table if isinstance(found, Mapper) else found
    if not isinstance(table, sa.Table):
        raise ConfigError(
            f"{model!r} is neither a table nor a mapped class", hint="give a sqlalchemy.Table"
        )
    return table


def columns_of(table: sa.Table, wanted: Any) -> list[Any]:
    """The columns that `wanted` means: one or a list of names, columns, tables or mapped classes.

    Raises ConfigError for a name that is no column of the table.
    """
    if wanted is None:
        return []
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        wanted = [wanted]
    return [named(table, one) if isinstance(one, str) else _plain(one) for one in wanted]


def named(table: sa.Table, name: str) -> Any:
    """The column of this name. Raises ConfigError if there is none."""
    if name not in table.c:
        raise ConfigError(
            f"table {table.name} has no column {name!r}", hint=f"one of {', '.join(table.c.keys())}"
        )
    return table.c[name]


def _plain(wanted: Any) -> Any:
    found = sa.inspect(wanted) if isinstance(wanted, type) else wanted
    return found.local_table if isinstance(found, Mapper) else found


def by_columns(table: sa.Table, rows: Sequence[Values], places: Iterable[int]) -> list[list[int]]:
    """`places` of rows in groups that have values for the same columns.

    One statement takes one list of columns. SQLAlchemy takes that of the first row, and leaves out
    silently what later rows have besides, and what is no column. Raises ValueError for the latter.
    """
    groups: dict[frozenset[str], list[int]] = {}
    for place in places:
        groups.setdefault(frozenset(rows[place]), []).append(place)
    for name in frozenset().union(*groups) - set(table.c.keys()):
        raise ValueError(f"table {table.name} has no column {name!r}")
    return list(groups.values())
