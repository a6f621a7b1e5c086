"""Rows inserted, or updated where their key is there already, in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

from ...errors import ConfigError
from ..waves import waves
from .asked import look_up, one_each
from .base import SqlAlchemyBatcher
from .columns import Values, by_columns, columns_of
from .key import Key, KeyValues, sift

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from sqlalchemy import Connection, Engine, Row
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ...flow.batcher import BatcherOptions

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class SqlAlchemyUpsertBatcher(SqlAlchemyBatcher[Values]):
    """`process({"email": ..., "name": ...})` inserts the row, or updates the one with its key.

    INSERT ... ON CONFLICT (key) DO UPDATE, of PostgreSQL and SQLite. `key` is one or a list of
    columns with a unique index, by default the primary key; every item must have a value for each.
    `update` names the columns that a conflict overwrites, by default all that the item has but the
    key. An item that comes twice in a batch is inserted and then updated, in order.
    The result is None, or with `returning` the Row of these columns as the item left it; the rows
    are read by their key in the same transaction, so they are the item's own.
    """

    def __init__(
        self,
        model: Any,
        engine: Engine | AsyncEngine,
        *,
        key: Any = None,
        update: Any = None,
        returning: Any = None,
        **options: Unpack[BatcherOptions[Values]],
    ) -> None:
        super().__init__(model, engine, **options)
        if engine.dialect.name not in _INSERTS:
            raise ConfigError(f"no upsert for {engine.dialect.name}", hint="use insert and update")
        self._key = Key(self.table, key)
        self._update = None if update is None else columns_of(self.table, update)
        self._returning = columns_of(self.table, returning)

    def _work(self, connection: Connection, batch: list[Values]) -> list[Any]:
        results, keys = sift(batch, self._key.of_row)
        for wave in waves(keys):
            for places in by_columns(self.table, batch, wave):
                self._upsert(connection, [dict(batch[place]) for place in places])
            if self._returning:
                for n, row in self._read(connection, [keys[place] for place in wave]).items():
                    results[wave[n]] = row
        return results

    def _upsert(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        insert = _INSERTS[connection.dialect.name](self.table)
        elements = [column.name for column in self._key.columns]
        changed = {column: insert.excluded[column.key] for column in self._overwritten(rows[0])}
        if changed:
            statement = insert.on_conflict_do_update(index_elements=elements, set_=changed)
        else:
            statement = insert.on_conflict_do_nothing(index_elements=elements)
        connection.execute(statement, rows)

    def _overwritten(self, row: Values) -> list[Any]:
        if self._update is not None:
            return [column for column in self._update if column.key in row]
        return [c for c in self.table.c if c.key in row and c.key not in self._key.names]

    def _read(self, connection: Connection, keys: Sequence[KeyValues]) -> dict[int, Row[Any]]:
        return one_each(look_up(connection, self._key.columns, self._returning, keys))
