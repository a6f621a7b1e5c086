"""A result is written as it is, or not at all: no value is lost, none is bent."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import uuid
from decimal import Decimal
from typing import TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.errors import UnencodableResult, WrongResult
from batchmill.formats.codec import json_codec
from batchmill.formats.encode import MAX_DEPTH, encode_result, encode_value
from batchmill.formats.json_reader import JsonReader

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(min_value=-(10**40), max_value=10**40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
records = st.dictionaries(texts, values, max_size=4)


@given(records)
def test_every_json_value_is_written_and_read_back_the_same(record):
    line = encode_result(record)

    assert json.loads(line) == record
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


@given(records)
def test_what_the_task_does_not_touch_comes_out_as_it_came_in(record):
    codec = json_codec()
    line = json.dumps(record, ensure_ascii=False).encode()

    out = codec.encode(codec.decode(line))

    assert repr(json.loads(out)) == repr(record)
    assert list(json.loads(out)) == list(record)


@pytest.mark.parametrize("number", [
    2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, -(10**300),
])  # fmt: skip
def test_integers_of_any_size_survive(number):
    codec = json_codec()

    out = codec.encode(codec.decode(b'{"n":%d,"in":[%d,{"deep":%d}]}' % ((number,) * 3)))

    assert out == b'{"n":%d,"in":[%d,{"deep":%d}]}\n' % ((number,) * 3)


def test_the_order_of_keys_survives():
    assert encode_result({"b": 1, "a": {"z": 1, "y": 2}}) == b'{"b":1,"a":{"z":1,"y":2}}\n'


def test_unicode_is_written_as_it_is():
    text = 'ä 日本 🎈 \u2028 \u0085 \\ " \n \x00'

    line = encode_result({text: text})

    assert json.loads(line) == {text: text}
    assert "日本".encode() in line
    assert line.count(b"\n") == 1


@dataclasses.dataclass
class Person:
    _id: int
    name: str
    tags: list[str]


class Spelled(msgspec.Struct, rename="camel"):
    user_id: int
    home_town: str


class Tagged(msgspec.Struct, tag="cat", tag_field="kind"):
    name: str


class Sparse(msgspec.Struct):
    a: int
    b: int | msgspec.UnsetType = msgspec.UNSET


class Row(TypedDict):
    a: int


class Spoken(str):
    __slots__ = ()


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (Person(1, "Ada", ["x"]), b'{"_id":1,"name":"Ada","tags":["x"]}\n'),
        ({"in": Person(1, "Ada", [])}, b'{"in":{"_id":1,"name":"Ada","tags":[]}}\n'),
        (Spelled(1, "Bath"), b'{"userId":1,"homeTown":"Bath"}\n'),
        (Tagged("Tom"), b'{"kind":"cat","name":"Tom"}\n'),
        (Sparse(1), b'{"a":1}\n'),
        (Row(a=1), b'{"a":1}\n'),
        ({Spoken("a"): Spoken("b")}, b'{"a":"b"}\n'),
        ({"big": Person(2**70, "", [])}, b'{"big":{"_id":%d,"name":"","tags":[]}}\n' % 2**70),
    ],
)
def test_results_of_these_kinds_are_written_with_all_their_fields(result, line):
    assert encode_result(result) == line


@pytest.mark.parametrize("kind", [Spelled, Tagged])
def test_a_typed_record_that_is_handed_on_keeps_its_spelling(kind):
    line = b'{"userId":1,"homeTown":"Bath"}' if kind is Spelled else b'{"kind":"cat","name":"Tom"}'
    codec = json_codec(JsonReader(msgspec.json.Decoder(kind).decode))

    assert codec.encode(codec.decode(line)) == line + b"\n"


def test_a_pydantic_model_is_written_with_all_its_fields():
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        a: int
        b: list[int]

    assert encode_result(Model(a=2**70, b=[1])) == b'{"a":%d,"b":[1]}\n' % 2**70


@pytest.mark.parametrize(
    ("results", "lines"),
    [
        ([], b""),
        ((), b""),
        ([{"a": 1}], b'{"a":1}\n'),
        ([{"a": 1}, {"a": 2}], b'{"a":1}\n{"a":2}\n'),
        (({"a": n} for n in range(2)), b'{"a":0}\n{"a":1}\n'),
        ([Person(1, "", []), {"a": 1}], b'{"_id":1,"name":"","tags":[]}\n{"a":1}\n'),
    ],
)
def test_a_list_of_results_is_as_many_lines(results, lines):
    assert encode_result(results) == lines


@pytest.mark.parametrize("result", ["text", b"bytes", 5, 5.0, True, {1, 2}, object(), [1], [None],
                                    [[{}]], {"a": 1}.items()])  # fmt: skip
def test_what_is_no_result_is_refused(result):
    with pytest.raises(WrongResult, match="hint"):
        encode_result(result)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "inf"),
        (b"bytes", "base64"),
        (bytearray(b""), "base64"),
        ({1, 2}, "sorted"),
        (frozenset(), "sorted"),
        (Decimal("1.10"), "Decimal"),
        (1j, "complex"),
        (object(), "object"),
        ("\ud800", "surrogate"),
        ({1: 2}, "keys"),
        ({None: 2}, "keys"),
        ({("a",): 2}, "keys"),
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: {"x": value},
        lambda value: {"x": [0, {"y": value}]},
        lambda value: [{"x": None, "y": value}],
        lambda value: Person(value, "", []),
    ],
)
def test_what_json_cannot_carry_is_refused_with_a_word_of_what_it_is(value, told, wrap):
    with pytest.raises(UnencodableResult, match=told):
        encode_result(wrap(value))


def test_the_place_of_what_cannot_be_carried_is_named():
    with pytest.raises(UnencodableResult, match=r"result\['a'\]\[1\]\['b'\]"):
        encode_result({"a": [0, {"b": float("nan")}]})


def test_null_and_the_word_null_are_values_like_others():
    assert encode_result({"a": None, "null": "null"}) == b'{"a":null,"null":"null"}\n'


@pytest.mark.parametrize("depth", [10, MAX_DEPTH - 5])
def test_deep_nesting_is_written(depth):
    value = []
    for _ in range(depth):
        value = [value]

    assert json.loads(encode_value(value)) == value


@pytest.mark.parametrize("depth", [MAX_DEPTH + 10, 5_000, 100_000])
def test_nesting_beyond_measure_is_refused(depth):
    value = []
    for _ in range(depth):
        value = [value]

    with pytest.raises(UnencodableResult):
        encode_result({"a": value})


def test_a_result_that_contains_itself_is_refused():
    loop: dict = {}
    loop["self"] = loop

    with pytest.raises(UnencodableResult):
        encode_result(loop)


def test_times_and_identifiers_are_written_in_their_usual_spelling():
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

    line = encode_result({"at": at, "id": uuid.UUID(int=1), "colour": Colour.RED})

    assert json.loads(line) == {
        "at": "2026-01-02T03:04:05+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
        "colour": "red",
    }
