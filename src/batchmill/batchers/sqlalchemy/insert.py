"""Rows inserted in bulk, each caller with the columns of its own row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from .base import SqlAlchemyBatcher
from .columns import Values, by_columns, columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ...flow.batcher import BatcherOptions


class SqlAlchemyInsertBatcher(SqlAlchemyBatcher[Values]):
    """`process({"name": "Ada"})` inserts a row: INSERT of the whole batch in one transaction.

    The result is None, or with `returning` (one or a list of columns, their names, a table, a
    mapped class) the Row of these columns, generated keys and defaults included. Which row is whose
    is guaranteed by SQLAlchemy's `sort_by_parameter_order`, and not by the order of the answer;
    where a table has nothing to tell rows apart by, it inserts one by one.
    Values are plain values; SQL expressions belong in the column's defaults.
    """

    def __init__(
        self,
        model: Any,
        engine: Engine | AsyncEngine,
        *,
        returning: Any = None,
        **options: Unpack[BatcherOptions[Values]],
    ) -> None:
        super().__init__(model, engine, **options)
        self._returning = columns_of(self.table, returning)

    def _work(self, connection: Connection, batch: list[Values]) -> list[Any]:
        results: list[Any] = [None] * len(batch)
        for places in by_columns(self.table, batch, range(len(batch))):
            rows = self._insert(connection, [dict(batch[place]) for place in places])
            for place, row in zip(places, rows, strict=True):
                results[place] = row
        return results

    def _insert(self, connection: Connection, rows: list[dict[str, Any]]) -> Sequence[Any]:
        statement = sa.insert(self.table)
        if not self._returning:
            connection.execute(statement, rows)
            return [None] * len(rows)
        ordered = statement.returning(*self._returning, sort_by_parameter_order=True)
        return connection.execute(ordered, rows).all()
