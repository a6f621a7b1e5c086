"""Results that cannot be written are dead letters that say why, and nothing is bent to fit."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import uuid

import msgspec
import pytest


def deep(levels):
    value = {"end": 1}
    for _ in range(levels):
        value = {"a": value}
    return value


def itself():
    value = {}
    value["me"] = value
    return value


@dataclasses.dataclass
class Point:
    x: float


class Struct(msgspec.Struct):
    x: float


class Odd:
    def __repr__(self):
        raise RuntimeError("no")


class BadModel:
    def model_dump(self):
        raise RuntimeError("cannot be dumped")


UNENCODABLE = {
    "nan": lambda: {"x": math.nan},
    "inf": lambda: {"a": [1, {"x": -math.inf}]},
    "nan in a dataclass": lambda: {"p": Point(math.nan)},
    "nan in a struct": lambda: {"p": Struct(math.nan)},
    "nan beside null": lambda: {"x": None, "y": math.nan},
    "nan as the word null": lambda: {"x": "null", "y": math.nan},
    "bytes": lambda: {"x": b"a"},
    "bytearray": lambda: {"x": bytearray(b"a")},
    "set": lambda: {"x": {1}},
    "frozenset": lambda: {"x": frozenset((1,))},
    "decimal": lambda: {"x": decimal.Decimal("1.5")},
    "complex": lambda: {"x": 1j},
    "a function": lambda: {"x": len},
    "an object": lambda: {"x": object()},
    "an object whose repr raises": lambda: {"x": Odd()},
    "a generator inside": lambda: {"x": (n for n in range(2))},
    "an integer as key": lambda: {1: "a"},
    "none as key": lambda: {"a": {None: 1}},
    "a tuple as key": lambda: {"a": [{(1, 2): 1}]},
    "both spellings of a key": lambda: {"1": 1, 1: 2},
    "half a surrogate pair": lambda: {"x": "\ud800"},
    "half a surrogate pair as key": lambda: {"\udc00": 1},
    "too deep": lambda: deep(300),
    "deeper than the stack": lambda: deep(100_000),
    "itself": itself,
    "too many digits": lambda: {"x": 10**5000},
    "one of many": lambda: [{"x": 1}, {"x": math.nan}, {"x": 3}],
}
WRONG = {
    "a number": lambda: 5,
    "true": lambda: True,
    "text": lambda: "text",
    "bytes": lambda: b"bytes",
    "a list of numbers": lambda: [1, 2],
    "a list of lists": lambda: [[{"a": 1}]],
    "a list with none": lambda: [{"a": 1}, None],
    "an exception": lambda: ValueError("returned"),
    "a class": lambda: Point,
    "a set": lambda: {1, 2},
    "an odd object": Odd,
}


@pytest.mark.parametrize("engine", ["async", "thread"])
@pytest.mark.parametrize("name", [*UNENCODABLE])
def test_a_result_that_cannot_be_written_is_a_dead_letter(little, name, engine):
    report = run_with(little, UNENCODABLE[name], engine)

    assert little.failed() == {1: "UnencodableResult"}
    message = little.letters()[0]["error"]["message"]
    assert message
    assert len(message) < 600
    check_the_others(little, report)


@pytest.mark.parametrize("engine", ["async", "thread"])
@pytest.mark.parametrize("name", [*WRONG])
def test_something_that_is_no_result_is_a_dead_letter(little, name, engine):
    report = run_with(little, WRONG[name], engine)

    assert set(little.failed()) == {1}
    assert little.failed()[1] in ("WrongResult", "ValueError")
    check_the_others(little, report)


def test_a_generator_that_raises_half_way_leaves_no_half_result(little):
    def half():
        yield {"x": 1}
        raise ValueError("half way")

    report = run_with(little, half, "async")

    assert little.failed() == {1: "ValueError"}
    check_the_others(little, report)


def test_a_model_that_cannot_be_dumped_is_a_dead_letter(little):
    report = run_with(little, BadModel, "async")

    assert little.failed() == {1: "RuntimeError"}
    check_the_others(little, report)


def run_with(little, make, engine):
    """A run whose second record of three gets the result."""
    little.write({"id": 0}, {"id": 1}, {"id": 2})

    def task(record):
        return make() if record["id"] == 1 else record

    async def coroutine(record):
        return task(record)

    return little.run(coroutine if engine == "async" else task, engine=engine)


def check_the_others(little, report):
    assert (report.state, report.exit_code) == ("completed", 3)
    assert (report.succeeded, report.failed, report.pending) == (2, 1, 0)
    assert sorted(r["id"] for r in little.results()) == [0, 2]
    assert little.run().failed == 0
    assert sorted(r["id"] for r in little.results()) == [0, 1, 2]


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()


class Number(int):
    pass


GOOD = [
    ({"x": 2**64, "y": [-(2**80)]}, {"x": 2**64, "y": [-(2**80)]}),
    ({"x": None, "y": "null"}, {"x": None, "y": "null"}),
    ({"x": datetime.date(2026, 1, 2)}, {"x": "2026-01-02"}),
    ({"x": uuid.UUID(int=0)}, {"x": "00000000-0000-0000-0000-000000000000"}),
    ({"x": (1, 2)}, {"x": [1, 2]}),
    ({"p": Point(1.5), "big": 2**70}, {"p": {"x": 1.5}, "big": 2**70}),
    ({"p": Struct(1.5), "none": None}, {"p": {"x": 1.5}, "none": None}),
    ({"x": Colour.RED, "y": Level.HIGH}, {"x": "red", "y": 3}),
    ({"x": Colour.RED, "y": 2**70}, {"x": "red", "y": 2**70}),
    ({Text("a"): Text("b"), "n": Number(5)}, {"a": "b", "n": 5}),
    ({"x": "\U0001f600\u2028\x00"}, {"x": "\U0001f600\u2028\x00"}),
    (Point(2.5), {"x": 2.5}),
    (Struct(2.5), {"x": 2.5}),
    ({}, {}),
    (deep(240), deep(240)),
]


@pytest.mark.parametrize(("result", "written"), GOOD, ids=range(len(GOOD)))
def test_what_json_can_carry_is_written_as_it_is(little, result, written):
    little.write({"id": 0})

    async def task(record):
        return result

    assert little.run(task).failed == 0
    assert little.results() == [written]


def test_no_results_one_and_many_belong_to_one_record_each(little):
    little.write(*[{"n": n} for n in range(4)])

    async def task(record):
        return [{"n": record["n"], "part": part} for part in range(record["n"])]

    report = little.run(task, order="input")

    assert report.succeeded == 4
    assert [r["n"] for r in little.results()] == [1, 2, 2, 3, 3, 3]
    assert little.run(task, order="input").called == 0
