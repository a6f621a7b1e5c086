"""Rows looked up by key in bulk: single `get`s in, one SELECT out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import MultipleResultsFound

from .asked import look_up
from .base import SqlAlchemyBatcher
from .columns import columns_of
from .key import Key, sift

if TYPE_CHECKING:
    from typing import Unpack

    from sqlalchemy import Connection, Engine, Row
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ...flow.batcher import BatcherOptions


class SqlAlchemyLookupBatcher(SqlAlchemyBatcher[Any]):
    """`process(42)` gives the Row with this key, or None if there is none.

    `key` is one or a list of columns, by default the primary key; for several, the item is a tuple.
    `columns` are those of the Row, by default all of the table. The database compares the keys; an
    item that is there twice in a batch, or spelled in two ways that the column takes for equal, is
    answered twice. Two rows for one key fail that item with MultipleResultsFound.

    With `many`, the result is the list of all rows with the key, in the order of the primary key if
    the table has one: for example the orders of a customer.

    For PostgreSQL, and databases that know WITH asked (...) AS (VALUES ...), such as SQLite.
    """

    def __init__(
        self,
        model: Any,
        engine: Engine | AsyncEngine,
        *,
        key: Any = None,
        columns: Any = None,
        many: bool = False,
        **options: Unpack[BatcherOptions[Any]],
    ) -> None:
        super().__init__(model, engine, **options)
        self._key = Key(self.table, key)
        self._columns = columns_of(self.table, columns) or list(self.table.c)
        self._many = many
        self._order = list(self.table.primary_key) if many else []

    def _work(self, connection: Connection, batch: list[Any]) -> list[Any]:
        results, keys = sift(batch, self._key.of_item)
        places = list(keys)
        rows: dict[int, list[Row[Any]]] = {place: [] for place in places}
        found = look_up(
            connection, self._key.columns, self._columns, list(keys.values()), self._order
        )
        for n, row in found:
            rows[places[n]].append(row)
        for place in places:
            results[place] = self._answer(rows[place])
        return results

    def _answer(self, rows: list[Row[Any]]) -> Any:
        if self._many:
            return rows
        if len(rows) > 1:
            return MultipleResultsFound(f"{len(rows)} rows have this key")
        return rows[0] if rows else None
