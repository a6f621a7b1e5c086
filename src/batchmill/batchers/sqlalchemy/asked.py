"""How does the database itself say which of its rows belongs to which item?

The items go to the server as a small table with a column for their place in the batch, statements
join with it, and every row that comes back carries the place of the item that it is for. So the
order of the answer does not matter, an item that is there twice has two answers, and what is equal
is decided by the type and collation of the column and not by Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import MultipleResultsFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection, CursorResult, Dialect, FromClause, Row

PLACE = "batchmill_place"
"""The column for the place of an item, from 1."""

MAX_PARAMETERS = 30_000
"""Values in one statement, where each is a parameter; SQLite and asyncpg take 32,766."""


def asked(
    dialect: Dialect, columns: Sequence[Any], rows: Sequence[Sequence[Any]]
) -> Iterator[tuple[int, FromClause]]:
    """The rows as tables to join with, each with how many rows stand before it.

    A table has the column PLACE, and `item_column(n)` for the nth of `columns`, whose types it has.
    On PostgreSQL it is one, of one array a column: the same statement for every size of a batch, so
    that it is compiled and prepared once. Elsewhere, and for columns that are arrays themselves, it
    is a list of values.
    """
    if dialect.name == "postgresql" and not any(map(_is_array, columns)):
        yield 0, _of_arrays(columns, rows)
        return
    most = MAX_PARAMETERS // (len(columns) + 1)
    for start in range(0, len(rows), most):
        yield start, _of_values(columns, rows[start : start + most])


def item_column(place: int) -> str:
    """The name of the column with the items' values for the column of this place."""
    return f"item_{place}"


def _is_array(column: Any) -> bool:
    return isinstance(column.type, sa.ARRAY) or isinstance(
        getattr(column.type, "impl", None), sa.ARRAY
    )


def _of_arrays(columns: Sequence[Any], rows: Sequence[Sequence[Any]]) -> FromClause:
    arrays = [
        sa.literal([row[place] for row in rows], postgresql.ARRAY(column.type))
        for place, column in enumerate(columns)
    ]
    return (
        sa.func.unnest(*arrays)
        .table_valued(*_item_columns(columns), with_ordinality=PLACE, name="asked")
        .render_derived()
    )


def _of_values(columns: Sequence[Any], rows: Sequence[Sequence[Any]]) -> FromClause:
    place = sa.column(PLACE, sa.Integer)
    numbered = [(number, *row) for number, row in enumerate(rows, 1)]
    return sa.values(place, *_item_columns(columns), name="asked").data(numbered).cte("asked")


def _item_columns(columns: Sequence[Any]) -> list[Any]:
    return [sa.column(item_column(n), column.type) for n, column in enumerate(columns)]


def matches(table: FromClause, key: Sequence[Any]) -> Any:
    """The condition that a row has the key of an item; `key` is the first of the item's columns."""
    return sa.and_(*(column == table.c[item_column(n)] for n, column in enumerate(key)))


def found(result: CursorResult[Any], before: int = 0) -> Iterator[tuple[int, Row[Any]]]:
    """For each row of the result its item's place in the batch, from 0, and the row without it.

    The first column of the result is PLACE; where it is the only one, the row is empty.
    """
    others = range(1, len(result.keys()))
    frozen = result.freeze()
    places = frozen().scalars()
    rows = frozen().columns(*others) if others else frozen()
    for place, row in zip(places, rows, strict=True):
        yield before + place - 1, row


def look_up(
    connection: Connection,
    key: Sequence[Any],
    wanted: Sequence[Any],
    rows: Sequence[Sequence[Any]],
    order: Sequence[Any] = (),
) -> Iterator[tuple[int, Row[Any]]]:
    """For each row of the table whose `key` is one of `rows`: the place in `rows`, and `wanted`."""
    for before, table in asked(connection.dialect, key, rows):
        join = table.join(key[0].table, matches(table, key))
        selection = sa.select(table.c[PLACE], *wanted).select_from(join).order_by(*order)
        yield from found(connection.execute(selection), before)


def one_each(pairs: Iterable[tuple[int, Row[Any]]]) -> dict[int, Row[Any]]:
    """The rows by place. Raises MultipleResultsFound if there are two for one."""
    rows: dict[int, Row[Any]] = {}
    for place, row in pairs:
        if place in rows:
            raise MultipleResultsFound("more than one row has this key")
        rows[place] = row
    return rows
