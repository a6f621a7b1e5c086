"""Tables for tests, and databases that hold them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, CITEXT
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    age: Mapped[int] = mapped_column(default=0)
    level: Mapped[str] = mapped_column(server_default="new")


people = Person.__table__

seats = sa.Table(
    "seats",
    Base.metadata,
    sa.Column("hall", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("guest", sa.String),
)

postgres_only = sa.MetaData()

oddities = sa.Table(
    "oddities",
    postgres_only,
    sa.Column("handle", CITEXT, primary_key=True),
    sa.Column("tags", ARRAY(sa.String)),
    sa.Column("extra", sa.JSON),
    sa.Column("kind", sa.Enum("red", "green", name="kind")),
    sa.Column("at", sa.DateTime(timezone=True)),
    sa.Column("price", sa.Numeric(10, 2)),
)


@asynccontextmanager
async def filled(url: sa.URL) -> AsyncIterator[AsyncEngine]:
    """An engine for a database with the tables, all empty."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_renew)
        yield engine
    finally:
        await engine.dispose()


def _renew(connection: sa.Connection) -> None:
    connection.execute(sa.text("DROP SCHEMA public CASCADE"))
    connection.execute(sa.text("CREATE SCHEMA public"))
    connection.execute(sa.text("CREATE EXTENSION citext"))
    Base.metadata.create_all(connection)
    postgres_only.create_all(connection)


@contextmanager
def sqlite(folder: Path) -> Iterator[sa.Engine]:
    """A plain engine for a SQLite file with the tables."""
    engine = sa.create_engine(f"sqlite:///{folder / 'people.db'}")
    try:
        Base.metadata.create_all(engine)
        yield engine
    finally:
        engine.dispose()


def on(url: sa.URL, scenario: Callable[[AsyncEngine], Coroutine[Any, Any, Any]]) -> Any:
    """What the scenario returns, run with an engine for `url`."""

    async def run() -> Any:
        async with filled(url) as engine:
            return await scenario(engine)

    return asyncio.run(run())


def plain(results: Any) -> list[Any]:
    """Rows as tuples, exceptions as their type."""
    return [
        type(result) if isinstance(result, BaseException) else result and tuple(result)
        for result in results
    ]


async def rows_of(engine: AsyncEngine, table: Any, *columns: Any) -> list[tuple[Any, ...]]:
    """What the table holds, in the order of its key."""
    async with engine.connect() as connection:
        order = list(sa.inspect(table).primary_key)
        return [
            tuple(row) for row in await connection.execute(sa.select(*columns).order_by(*order))
        ]
