"""How is a batch run: in one transaction, committed or rolled back as a whole."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine

from ...flow.batcher import AsyncBatcher
from .columns import table_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from typing import Unpack

    from sqlalchemy import Connection, Engine

    from ...flow.batcher import BatcherOptions

    Work = Callable[[Connection], list[Any]]

T = TypeVar("T")

MAX_BATCH_SIZE = 1_000
"""Rows in a batch, unless said otherwise."""


class SqlAlchemyBatcher(AsyncBatcher[T, Any]):
    """Runs each batch in one transaction of its own.

    On an AsyncEngine in the event loop; on an Engine in a thread (of `executor`, if there is one).
    When a row makes the batch fail, the transaction is rolled back and the batcher calls again with
    halves, each in a transaction of its own, until the row is alone: its caller gets the error of
    the database, the others their results. When the connection fails, everyone is told at once.

    A result is handed out after its transaction was committed. A caller who cancels does not undo
    what others asked for in the same batch.
    """

    def __init__(
        self, model: Any, engine: Engine | AsyncEngine, **options: Unpack[BatcherOptions[T]]
    ) -> None:
        options.setdefault("max_batch_size", MAX_BATCH_SIZE)
        super().__init__(**options)
        self.table = table_of(model)
        self.engine = engine

    async def process_batch(self, batch: list[T]) -> list[Any]:
        """A result, or an exception, for each item of the batch."""
        try:
            return await in_transaction(
                self.engine, partial(self._work, batch=batch), self.executor
            )
        except Exception as error:
            if not is_of_connection(error):
                raise
            return [error] * len(batch)

    @abstractmethod
    def _work(self, connection: Connection, batch: list[T]) -> list[Any]:
        """What is done in the transaction."""


async def in_transaction(
    engine: Engine | AsyncEngine, work: Work, executor: Executor | None
) -> list[Any]:
    """Do `work` between BEGIN and COMMIT; ROLLBACK if it raises or is cancelled."""
    if isinstance(engine, AsyncEngine):
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, _in_transaction, engine, work)


def _in_transaction(engine: Engine, work: Work) -> list[Any]:
    with engine.begin() as connection:
        return work(connection)


def is_of_connection(error: Exception) -> bool:
    """Whether no row is to blame, so that the same would happen to every half of the batch."""
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (OSError, TimeoutError, exc.OperationalError, exc.TimeoutError))
