"""Rows updated in bulk, each caller told whether its row was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..waves import waves
from .asked import PLACE, asked, found, item_column, matches, one_each
from .base import SqlAlchemyBatcher
from .columns import Values, by_columns, columns_of
from .key import Key, KeyValues, sift
from .single import done

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ...flow.batcher import BatcherOptions


class SqlAlchemyUpdateBatcher(SqlAlchemyBatcher[Values]):
    """`process({"id": 7, "name": "Ada"})` gives the row with this key these values.

    `key` is one or a list of columns that identify a row, by default the primary key; every item
    must have a value for each, and for at least one other column.
    The result is whether there was such a row, or with `returning` the Row of these columns as the
    item left it, or None. An item that comes twice in a batch is done twice, in order.

    On PostgreSQL a batch is one UPDATE for all items with the same columns; elsewhere it is an
    UPDATE for each item, in one transaction.
    """

    def __init__(
        self,
        model: Any,
        engine: Engine | AsyncEngine,
        *,
        key: Any = None,
        returning: Any = None,
        **options: Unpack[BatcherOptions[Values]],
    ) -> None:
        super().__init__(model, engine, **options)
        self._key = Key(self.table, key)
        self._returning = columns_of(self.table, returning)

    def _work(self, connection: Connection, batch: list[Values]) -> list[Any]:
        update = self._in_bulk if connection.dialect.name == "postgresql" else self._one_by_one
        results, keys = sift(batch, self._key_values)
        for wave in waves(keys):
            for places in by_columns(self.table, batch, wave):
                rows = update(connection, [batch[place] for place in places])
                for place, row in zip(places, rows, strict=True):
                    results[place] = row if self._returning else row is not None
        return results

    def _key_values(self, item: Values) -> KeyValues:
        values = self._key.of_row(item)
        if len(item) == len(values):
            raise ValueError("the row has nothing to change but its key")
        return values

    def _changed(self, item: Values) -> list[Any]:
        """The columns that the item changes."""
        return columns_of(self.table, [name for name in item if name not in self._key.names])

    def _in_bulk(self, connection: Connection, items: Sequence[Values]) -> list[Any]:
        """Repeated for what was not found, as long as this finds any: keys that are equal only to
        the database meet the same row, and one statement updates a row once."""
        rows: list[Any] = [None] * len(items)
        left = list(range(len(items)))
        while left:
            updated = self._update_all(connection, [items[place] for place in left])
            for n, row in updated.items():
                rows[left[n]] = row
            if not updated:
                break
            left = [place for n, place in enumerate(left) if n not in updated]
        return rows

    def _update_all(self, connection: Connection, items: Sequence[Values]) -> dict[int, Any]:
        changed = self._changed(items[0])
        columns = [*self._key.columns, *changed]
        values = [[item[column.key] for column in columns] for item in items]
        rows: dict[int, Any] = {}
        for before, table in asked(connection.dialect, columns, values):
            first = len(self._key.columns)
            new = {c: table.c[item_column(n)] for n, c in enumerate(changed, first)}
            statement = sa.update(self.table).values(new).where(matches(table, self._key.columns))
            returned = connection.execute(statement.returning(table.c[PLACE], *self._returning))
            rows |= one_each(found(returned, before))
        return rows

    def _one_by_one(self, connection: Connection, items: Sequence[Values]) -> list[Any]:
        return [self._update_one(connection, item) for item in items]

    def _update_one(self, connection: Connection, item: Values) -> Any:
        statement = (
            sa.update(self.table)
            .where(self._key.is_at(self._key.of_row(item)))
            .values({column: item[column.key] for column in self._changed(item)})
        )
        return done(connection, statement, self._returning)
