"""Rows of a database, one at a time for the caller and in bulk for the server, by SQLAlchemy 2.

    from batchmill.batchers.sqlalchemy import SqlAlchemyInsertBatcher

    async with SqlAlchemyInsertBatcher(User, engine, returning=[User.id]) as insert:
        row = await insert.process({"name": "Ada"})
        row.id

What is where:

    insert, update, upsert, delete, lookup   the batchers: statements for a batch of items
    base                                     a transaction for a batch, on any engine
    asked                                    items as a table that statements join with
    key, columns                             what callers mean by a key, a column, a model
"""

from __future__ import annotations

from ...errors import MissingDependency

try:
    import sqlalchemy as _sqlalchemy  # noqa: F401 - the others need it
except ImportError:
    raise MissingDependency("SQLAlchemy", "a SQLAlchemy batcher", "sqlalchemy") from None

from .delete import SqlAlchemyDeleteBatcher
from .insert import SqlAlchemyInsertBatcher
from .lookup import SqlAlchemyLookupBatcher
from .update import SqlAlchemyUpdateBatcher
from .upsert import SqlAlchemyUpsertBatcher

__all__ = [
    "SqlAlchemyDeleteBatcher",
    "SqlAlchemyInsertBatcher",
    "SqlAlchemyLookupBatcher",
    "SqlAlchemyUpdateBatcher",
    "SqlAlchemyUpsertBatcher",
]
