"""Rows updated, upserted and deleted in bulk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from asking import everyone
from sqlalchemy import exc
from tables import Person, oddities, on, people, plain, rows_of, seats, sqlite

from batchmill.batchers.sqlalchemy import (
    SqlAlchemyDeleteBatcher,
    SqlAlchemyInsertBatcher,
    SqlAlchemyUpdateBatcher,
    SqlAlchemyUpsertBatcher,
)

PEOPLE = [{"email": f"{n}@x", "name": f"name {n}"} for n in range(1, 10)]


async def with_people(engine):
    await everyone(SqlAlchemyInsertBatcher(Person, engine), PEOPLE)
    return engine


@pytest.fixture(params=["postgres", "sqlite"])
def play(request, tmp_path):
    """Runs a scenario on PostgreSQL by an async engine, and on SQLite by a plain one."""
    if request.param == "postgres":
        yield lambda scenario: on(request.getfixturevalue("postgres"), scenario)
    else:
        with sqlite(tmp_path) as engine:
            yield lambda scenario: asyncio.run(scenario(engine))


def test_an_update_says_whether_its_row_was_there(play):
    async def scenario(engine):
        update = SqlAlchemyUpdateBatcher(Person, await with_people(engine))
        items = [{"id": n, "age": 10 * n} for n in (7, 2, 99, 5)]
        return await everyone(update, items), update.stats().calls

    assert play(scenario) == ([True, True, False, True], 1)


def test_an_update_returns_the_row_of_its_own_item_as_it_left_it(play):
    async def scenario(engine):
        update = SqlAlchemyUpdateBatcher(
            Person, await with_people(engine), returning=["id", "name", "age"]
        )
        items = [
            {"id": 9, "name": "nine"},
            {"id": 1, "name": None, "age": 1},
            {"id": 9, "age": 99},
            {"id": 50, "age": 1},
            {"id": 9, "name": "NINE"},
        ]
        return await everyone(update, items)

    assert plain(play(scenario)) == [
        (9, "nine", 0), (1, None, 1), (9, "nine", 99), None, (9, "NINE", 99),
    ]  # fmt: skip


def test_an_update_without_key_or_without_change_fails_alone(play):
    async def scenario(engine):
        update = SqlAlchemyUpdateBatcher(Person, await with_people(engine))
        return await everyone(update, [{"id": 1}, {"age": 1}, {"id": 2, "age": 2}])

    assert [str(result) for result in play(scenario)] == [
        "the row has nothing to change but its key", "the row has no id to find it by", "True",
    ]  # fmt: skip


def test_an_update_that_the_database_refuses_fails_alone_and_changes_nothing(play):
    async def scenario(engine):
        update = SqlAlchemyUpdateBatcher(Person, await with_people(engine), returning="email")
        items = [{"id": n, "email": f"{n}@y"} for n in (1, 2, 3)]
        items += [{"id": 4, "email": "1@y"}, {"id": 5, "mail": "5@y"}, {"id": 6, "email": "6@y"}]
        return await everyone(update, items)

    assert plain(play(scenario)) == [
        ("1@y",), ("2@y",), ("3@y",), exc.IntegrityError, ValueError, ("6@y",),
    ]  # fmt: skip


def test_an_update_by_a_key_of_two_columns(play):
    async def scenario(engine):
        items = [{"hall": "a", "number": n} for n in range(3)]
        await everyone(SqlAlchemyInsertBatcher(seats, engine), items)
        update = SqlAlchemyUpdateBatcher(seats, engine, returning=seats)
        return await everyone(update, [{**item, "guest": "Ada"} for item in reversed(items)])

    assert plain(play(scenario)) == [("a", 2, "Ada"), ("a", 1, "Ada"), ("a", 0, "Ada")]


def test_keys_that_are_equal_to_the_database_alone_are_each_updated(postgres):
    async def scenario(engine):
        await everyone(SqlAlchemyInsertBatcher(oddities, engine), [{"handle": "Ada"}])
        update = SqlAlchemyUpdateBatcher(oddities, engine)
        return await everyone(update, [{"handle": h, "price": 1} for h in ("ada", "ADA", "bob")])

    assert on(postgres, scenario) == [True, True, False]


def test_values_of_every_type_arrive_as_they_are(postgres):
    at = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    values = {"tags": ["x", None], "extra": {"a": [1]}, "kind": "red", "at": at,
              "price": Decimal("9.99")}  # fmt: skip
    nothing = dict.fromkeys(values)

    async def scenario(engine):
        await everyone(
            SqlAlchemyInsertBatcher(oddities, engine), [{"handle": "a"}, {"handle": "b"}]
        )
        update = SqlAlchemyUpdateBatcher(oddities, engine, returning=oddities)
        both = await everyone(update, [{"handle": "a", **values}, {"handle": "b", **nothing}])
        del values["tags"]
        alone = await everyone(update, [{"handle": "b", **values}])
        return [row._mapping for row in both + alone]

    first, second, third = on(postgres, scenario)
    assert first == {"handle": "a", **values, "tags": ["x", None]}
    assert second == {"handle": "b", **nothing}
    assert third == {"handle": "b", **values, "tags": None}


def test_an_upsert_inserts_what_is_new_and_updates_what_is_there(play):
    async def scenario(engine):
        upsert = SqlAlchemyUpsertBatcher(
            Person, await with_people(engine), key="email", returning=["email", "name", "age"]
        )
        items = [
            {"email": "new@x", "name": "new"},
            {"email": "3@x", "name": "three"},
            {"email": "new@x", "age": 5},
            {"email": "2@x", "name": None, "age": 2},
        ]
        return await everyone(upsert, items), upsert.stats().calls

    rows, calls = play(scenario)
    assert plain(rows) == [("new@x", "new", 0), ("3@x", "three", 0), ("new@x", "new", 5),
                           ("2@x", None, 2)]  # fmt: skip
    assert calls == 1


def test_an_upsert_overwrites_only_what_it_is_told_to(play):
    async def scenario(engine):
        upsert = SqlAlchemyUpsertBatcher(
            Person, await with_people(engine), key=Person.email, update=["age"],
            returning=[Person.name, Person.age],
        )  # fmt: skip
        items = [{"email": "1@x", "name": "other", "age": 1}, {"email": "n", "name": "n", "age": 2}]
        return await everyone(upsert, items)

    assert plain(play(scenario)) == [("name 1", 1), ("n", 2)]


def test_an_upsert_of_nothing_but_the_key_keeps_the_row(play):
    async def scenario(engine):
        upsert = SqlAlchemyUpsertBatcher(
            Person, await with_people(engine), key="email", returning="name"
        )
        return await everyone(upsert, [{"email": "1@x"}, {"email": "new"}, {"name": "keyless"}])

    assert plain(play(scenario)) == [("name 1",), (None,), ValueError]


def test_a_thousand_upserts_and_updates_answer_in_order(postgres):
    async def scenario(engine):
        upsert = SqlAlchemyUpsertBatcher(Person, engine, key="email", returning=["id", "email"])
        first = await everyone(upsert, [{"email": f"{n}"} for n in range(0, 1_000, 2)])
        rows = await everyone(upsert, [{"email": f"{n}"} for n in range(999, -1, -1)])
        update = SqlAlchemyUpdateBatcher(Person, engine, key="email", returning="email")
        updated = await everyone(update, [{"email": f"{n}", "age": 1} for n in range(999, -1, -1)])
        return first, rows, updated, await rows_of(engine, people, people.c.id, people.c.email)

    first, rows, updated, held = on(postgres, scenario)
    assert [row.email for row in rows] == [f"{n}" for n in range(999, -1, -1)]
    assert [row.email for row in updated] == [row.email for row in rows]
    assert {tuple(row) for row in rows} == set(held)
    assert {tuple(row) for row in first} <= set(held)


def test_a_delete_says_whether_its_row_was_there_and_returns_it(play):
    async def scenario(engine):
        delete = SqlAlchemyDeleteBatcher(Person, await with_people(engine), returning="name")
        told = SqlAlchemyDeleteBatcher(Person, engine)
        return await everyone(delete, [4, 50, 2, 4]), await everyone(told, [2, 1])

    rows, told = play(scenario)
    assert plain(rows) == [("name 4",), None, ("name 2",), None]
    assert told == [False, True]
