"""Single inserts, bulk statements; on a real PostgreSQL, and on SQLite by a plain engine."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from asking import everyone
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import create_async_engine
from tables import Person, on, people, plain, rows_of, sqlite

from batchmill.batchers.sqlalchemy import SqlAlchemyInsertBatcher
from batchmill.errors import ConfigError


def person(number: int, **more: object) -> dict[str, object]:
    return {"email": f"{number}@example.org", "name": f"name {number}", **more}


def test_every_caller_gets_the_generated_key_of_its_own_row(postgres):
    async def scenario(engine):
        insert = SqlAlchemyInsertBatcher(Person, engine, returning=["id", "email"])
        rows = await everyone(insert, map(person, range(1_500)))
        return rows, await rows_of(engine, people, people.c.id, people.c.email), insert.stats()

    rows, held, stats = on(postgres, scenario)
    assert [f"{n}@example.org" for n in range(1_500)] == [row.email for row in rows]
    assert held == sorted(map(tuple, rows))
    assert stats.batches == 2


def test_rows_with_different_columns_share_a_batch_and_get_their_own_defaults(postgres):
    items = [person(1), person(2, age=40), person(3, level="old"), {"email": "4"}, person(5)]

    async def scenario(engine):
        insert = SqlAlchemyInsertBatcher(
            Person, engine, returning=[Person.email, Person.name, Person.age, Person.level]
        )
        return await everyone(insert, items), insert.stats().batches

    rows, batches = on(postgres, scenario)
    assert plain(rows) == [
        ("1@example.org", "name 1", 0, "new"),
        ("2@example.org", "name 2", 40, "new"),
        ("3@example.org", "name 3", 0, "old"),
        ("4", None, 0, "new"),
        ("5@example.org", "name 5", 0, "new"),
    ]
    assert batches == 1


def test_only_the_rows_that_the_database_refuses_fail(postgres):
    items = [person(n % 45) for n in range(50)] + [person(50, age="many"), {"name": "no email"}]

    async def scenario(engine):
        insert = SqlAlchemyInsertBatcher(Person, engine)
        return await everyone(insert, items), await rows_of(engine, people, people.c.email)

    results, held = on(postgres, scenario)
    assert results[:45] == [None] * 45
    assert plain(results[45:50]) == [exc.IntegrityError] * 5
    assert all(isinstance(result, exc.DBAPIError) for result in results[45:])
    assert len({id(result) for result in results[45:]}) == 7
    assert len(held) == 45


def test_a_name_that_is_no_column_fails_its_own_item(postgres):
    async def scenario(engine):
        insert = SqlAlchemyInsertBatcher(Person, engine)
        return await everyone(insert, [person(1), person(2, nmae="x"), person(3)])

    assert plain(on(postgres, scenario)) == [None, ValueError, None]


def test_a_mapped_class_as_returning_gives_all_its_columns(postgres):
    async def scenario(engine):
        return await everyone(
            SqlAlchemyInsertBatcher(Person, engine, returning=Person), [person(1)]
        )

    assert plain(on(postgres, scenario)) == [(1, "1@example.org", "name 1", 0, "new")]


def test_a_plain_engine_runs_in_a_thread(tmp_path):
    with sqlite(tmp_path) as engine:
        insert = SqlAlchemyInsertBatcher(people, engine, returning="id")
        results = asyncio.run(everyone(insert, [person(1), person(2), person(1), person(3)]))

        assert [type(result) for result in results].count(exc.IntegrityError) == 1
        with engine.connect() as connection:
            held = connection.execute(sa.select(people.c.id, people.c.email)).all()

    ids = [result.id for n, result in enumerate(results) if n != 2]
    assert [tuple(row) for row in held] == list(
        zip(ids, ["1@example.org", "2@example.org", "3@example.org"], strict=True)
    )


def test_a_server_that_is_down_is_asked_once_a_batch_and_not_by_halves(tmp_path):
    nowhere = create_async_engine(f"postgresql+asyncpg://nobody@/none?host={tmp_path}")
    insert = SqlAlchemyInsertBatcher(people, nowhere)

    results = asyncio.run(everyone(insert, map(person, range(100))))

    assert all(isinstance(result, OSError) for result in results)
    assert len({id(result) for result in results}) == 100
    assert insert.stats().calls == 1


def test_a_caller_who_leaves_takes_no_other_row_along(postgres):
    async def scenario(engine):
        async with SqlAlchemyInsertBatcher(Person, engine, max_queue_time=0) as insert:
            calls = [insert.submit(person(n)) for n in range(10)]
            calls[3].cancel()
            await asyncio.wait(calls)
        return await rows_of(engine, people, people.c.email)

    held = on(postgres, scenario)
    assert [email for (email,) in held] == [f"{n}@example.org" for n in range(10) if n != 3]


def test_what_is_no_table_is_refused_at_once(tmp_path):
    with sqlite(tmp_path) as engine, pytest.raises(ConfigError, match="neither a table"):
        SqlAlchemyInsertBatcher("people", engine)


def test_an_unknown_column_to_return_is_refused_at_once(tmp_path):
    with sqlite(tmp_path) as engine, pytest.raises(ConfigError, match="no column 'ident'"):
        SqlAlchemyInsertBatcher(people, engine, returning=["ident"])
