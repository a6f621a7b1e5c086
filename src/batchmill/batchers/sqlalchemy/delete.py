"""Rows deleted in bulk, each caller told whether its row was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..waves import waves
from .asked import PLACE, asked, found, matches, one_each
from .base import SqlAlchemyBatcher
from .columns import columns_of
from .key import Key, KeyValues, sift
from .single import done

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ...flow.batcher import BatcherOptions


class SqlAlchemyDeleteBatcher(SqlAlchemyBatcher[Any]):
    """`process(42)` deletes the row with this key.

    `key` is one or a list of columns that identify a row, by default the primary key; for several,
    the item is a tuple. The result is whether there was such a row, or with `returning` the Row of
    these columns as it was, or None. Of a key that comes twice in a batch the first has the row.

    On PostgreSQL a batch is one DELETE; elsewhere it is a DELETE for each item, in one transaction.
    """

    def __init__(
        self,
        model: Any,
        engine: Engine | AsyncEngine,
        *,
        key: Any = None,
        returning: Any = None,
        **options: Unpack[BatcherOptions[Any]],
    ) -> None:
        super().__init__(model, engine, **options)
        self._key = Key(self.table, key)
        self._returning = columns_of(self.table, returning)

    def _work(self, connection: Connection, batch: list[Any]) -> list[Any]:
        delete = self._in_bulk if connection.dialect.name == "postgresql" else self._one_by_one
        results, keys = sift(batch, self._key.of_item)
        for wave in waves(keys):
            rows = delete(connection, [keys[place] for place in wave])
            for place, row in zip(wave, rows, strict=True):
                results[place] = row if self._returning else row is not None
        return results

    def _in_bulk(self, connection: Connection, keys: Sequence[KeyValues]) -> list[Any]:
        rows: dict[int, Any] = {}
        for before, table in asked(connection.dialect, self._key.columns, keys):
            statement = sa.delete(self.table).where(matches(table, self._key.columns))
            returned = connection.execute(statement.returning(table.c[PLACE], *self._returning))
            rows |= one_each(found(returned, before))
        return [rows.get(place) for place in range(len(keys))]

    def _one_by_one(self, connection: Connection, keys: Sequence[KeyValues]) -> list[Any]:
        return [self._delete_one(connection, key) for key in keys]

    def _delete_one(self, connection: Connection, key: KeyValues) -> Any:
        statement = sa.delete(self.table).where(self._key.is_at(key))
        return done(connection, statement, self._returning)
