"""Rows by key, looked up in bulk."""

from __future__ import annotations

import asyncio

from asking import everyone
from sqlalchemy.exc import MultipleResultsFound
from tables import Person, oddities, on, people, plain, seats, sqlite

from batchmill.batchers.sqlalchemy import (
    SqlAlchemyInsertBatcher,
    SqlAlchemyLookupBatcher,
    asked,
)

PEOPLE = [{"email": f"{n}@x", "name": f"name {n % 3}", "age": n} for n in range(1, 10)]


def test_each_key_gets_its_row_and_a_missing_one_none(postgres):
    async def scenario(engine):
        await everyone(SqlAlchemyInsertBatcher(Person, engine), PEOPLE)
        lookup = SqlAlchemyLookupBatcher(Person, engine, columns=["age"])
        return await everyone(lookup, [7, 2, 99, 7, 1]), lookup.stats().calls

    rows, calls = on(postgres, scenario)
    assert plain(rows) == [(7,), (2,), None, (7,), (1,)]
    assert calls == 1


def test_any_unique_column_can_be_the_key(postgres):
    async def scenario(engine):
        await everyone(SqlAlchemyInsertBatcher(Person, engine), PEOPLE)
        lookup = SqlAlchemyLookupBatcher(Person, engine, key=Person.email)
        return await everyone(lookup, ["3@x", None, "nobody@x", "3@x", "1@x"])

    three, none, nobody, again, one = on(postgres, scenario)
    assert [three.age, again.age, one.age] == [3, 3, 1]
    assert three._fields == ("id", "email", "name", "age", "level")
    assert [none, nobody] == [None, None]


def test_a_key_of_two_columns_is_a_tuple_and_anything_else_fails_alone(postgres):
    async def scenario(engine):
        items = [{"hall": h, "number": n, "guest": f"{h}{n}"} for h in "ab" for n in (1, 2)]
        await everyone(SqlAlchemyInsertBatcher(seats, engine), items)
        lookup = SqlAlchemyLookupBatcher(seats, engine, columns="guest")
        asked = [("b", 1), ("c", 1), ("a", 2), "a", ("a", 2, 3), ("a", 2)]
        return await everyone(lookup, asked), lookup.stats().calls

    rows, calls = on(postgres, scenario)
    assert plain(rows) == [("b1",), None, ("a2",), ValueError, ValueError, ("a2",)]
    assert calls == 1


def test_many_gives_all_rows_of_a_key_in_the_order_of_the_primary_key(postgres):
    async def scenario(engine):
        await everyone(SqlAlchemyInsertBatcher(Person, engine), PEOPLE)
        lookup = SqlAlchemyLookupBatcher(Person, engine, key="name", columns="age", many=True)
        return await everyone(lookup, ["name 1", "nobody", "name 0", "name 1"])

    answers = on(postgres, scenario)
    assert [plain(rows) for rows in answers] == [
        [(1,), (4,), (7,)], [], [(3,), (6,), (9,)], [(1,), (4,), (7,)],
    ]  # fmt: skip


def test_two_rows_for_one_key_fail_that_key_only(postgres):
    async def scenario(engine):
        await everyone(SqlAlchemyInsertBatcher(Person, engine), [*PEOPLE, {"email": "z"}])
        lookup = SqlAlchemyLookupBatcher(Person, engine, key="age", columns="email")
        await everyone(SqlAlchemyInsertBatcher(Person, engine), [{"email": "y", "age": 5}])
        return await everyone(lookup, [4, 5, 6])

    assert plain(on(postgres, scenario)) == [("4@x",), MultipleResultsFound, ("6@x",)]


def test_a_key_of_the_wrong_type_fails_alone(postgres):
    async def scenario(engine):
        await everyone(SqlAlchemyInsertBatcher(Person, engine), PEOPLE)
        return await everyone(SqlAlchemyLookupBatcher(Person, engine), [1, "one", 2, object(), 3])

    results = on(postgres, scenario)
    assert [row.age for row in results[::2]] == [1, 2, 3]
    assert all(isinstance(result, Exception) for result in results[1::2])


def test_the_database_decides_which_keys_are_equal(postgres):
    async def scenario(engine):
        await everyone(SqlAlchemyInsertBatcher(oddities, engine), [{"handle": "Ada"}])
        lookup = SqlAlchemyLookupBatcher(oddities, engine, columns="handle")
        return await everyone(lookup, ["ada", "Ada", "ADA", "bob"])

    assert plain(on(postgres, scenario)) == [("Ada",), ("Ada",), ("Ada",), None]


def test_a_plain_engine_looks_up_more_keys_than_one_statement_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(asked, "MAX_PARAMETERS", 6)
    with sqlite(tmp_path) as engine:
        asyncio.run(everyone(SqlAlchemyInsertBatcher(people, engine), PEOPLE))
        lookup = SqlAlchemyLookupBatcher(people, engine, columns="id")
        rows = asyncio.run(everyone(lookup, [*range(1, 12), 1, 9]))

    assert plain(rows) == [(n,) for n in range(1, 10)] + [None, None, (1,), (9,)]
