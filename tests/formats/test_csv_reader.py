"""Records of CSV as dicts of strings, or as what a task's annotation asks for."""

from __future__ import annotations

import csv
import enum
import pickle
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchmill.errors import InvalidRecord, MissingKey, RecordTooLarge
from batchmill.formats.csv_dialect import CsvDialect, can_be_cut
from batchmill.formats.csv_reader import CsvReader
from batchmill.formats.typed_row import RowConverter
from batchmill.records import Oversized
from batchmill.sources.csv_files import HEADED, UNHEADED

texts = st.lists(st.sampled_from(['"', '"', ",", ",", "a", "b", "\n", "\r", "\0", '","']),
                 max_size=14).map("".join)  # fmt: skip


def fields(reader, raw):
    try:
        return list(reader.decode(raw).values())
    except InvalidRecord:
        return None


@settings(max_examples=1000)
@given(texts, st.integers(1, 4))
def test_what_is_fast_is_what_the_csv_module_says(text, count):
    reader = CsvReader(CsvDialect(), tuple(f"n{n}" for n in range(count)))
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        rows = []

    expected = rows[0] if len(rows) == 1 and len(rows[0]) == count and "\0" not in text else None
    raw = text.encode()
    assert fields(reader, UNHEADED + raw if raw.startswith(HEADED) else raw) == expected


def test_a_reader_can_be_sent_to_another_process():
    reader = CsvReader(CsvDialect(delimiter=";"), ("id", "n"), "id", RowConverter(Record))

    again = pickle.loads(pickle.dumps(reader))

    assert again.decode(b"a;5") == Record("a", 5)
    assert again.key_of(b"a;5") == "a"


def test_what_cannot_be_read_is_explained():
    reader = CsvReader(CsvDialect(), ("id", "n"), "id")

    def explained(raw):
        with pytest.raises(Exception) as raised:  # noqa: PT011 - any
            reader.decode(raw)
        return reader.explain(raised.value, raw)

    assert isinstance(explained(Oversized(10**9, b"x")), RecordTooLarge)
    assert isinstance(explained(b",1"), MissingKey)
    assert isinstance(explained(b"\xff,1"), InvalidRecord)
    assert explained(b"") is None
    assert explained(b"  ") is None
    assert reader.key_of(b"\xff,1") is None


def test_encodings_that_can_be_cut_are_told_from_those_that_cannot():
    one = ["utf-8", "ascii", "latin-1", "cp1252", "cp874", "koi8-r", "iso8859-15", "mac-roman"]
    many = ["utf-16", "utf-32-be", "utf-7", "shift_jis", "gbk", "gb18030", "big5", "iso2022_jp",
            "cp037", "hz"]  # fmt: skip

    assert [each for each in one if not can_be_cut(each)] == []
    assert [each for each in many if can_be_cut(each)] == []


# Annotations.


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Record:
    id: str
    n: int
    share: float | None = 0.5
    good: bool | None = None
    colour: Colour | None = None
    kind: Literal["a", ""] = "a"


class Typed(TypedDict):
    id: str
    n: int | None


class Struct(msgspec.Struct):
    id: str
    n: int = 7


class Model(pydantic.BaseModel):
    id: str
    n: int | None
    share: float = pydantic.Field(default=0.5, alias="part")


@pydantic.dataclasses.dataclass
class Row:
    id: str
    n: int = 3


CELLS: list[tuple[Any, str, bytes, Any]] = [
    (Record, "id,n,share,good,colour,kind", b"x,5,1.5,true,red,a",
     Record("x", 5, 1.5, True, Colour.RED)),
    (Record, "id,n,share,good,colour,kind", b",5,,,,", Record("", 5, 0.5, None, None, "")),
    (Record, "more,n,id", b"?,-1,x", Record("x", -1)),
    (Typed, "id,n", b"x,", {"id": "x", "n": None}),
    (Typed, "id,n", b"x,12", {"id": "x", "n": 12}),
    (Struct, "id,n", b"x,", Struct("x", 7)),
    (Struct | None, "id,n", b"x,1", Struct("x", 1)),
    (Model, "id,n,part", b"x,,", Model(id="x", n=None)),
    (Model, "id,n,part", b"x,4,2", Model(id="x", n=4, part=2.0)),
    (Row, "id,n", b"x,", Row("x", 3)),
]  # fmt: skip


@pytest.mark.parametrize(("record_type", "names", "raw", "expected"), CELLS)
def test_cells_are_converted_to_what_the_field_is(record_type, names, raw, expected):
    reader = CsvReader(CsvDialect(), tuple(names.split(",")), None, RowConverter(record_type))

    assert reader.decode(raw) == expected


@pytest.mark.parametrize("record_type", [Record, Struct, Model, Row])
@pytest.mark.parametrize("cell", [b"x", b"1.5"])
def test_a_cell_that_does_not_fit_is_named_by_its_field(record_type, cell):
    reader = CsvReader(CsvDialect(), ("id", "n"), None, RowConverter(record_type))

    with pytest.raises(Exception) as raised:  # noqa: PT011 - any
        reader.decode(b"a," + cell)

    assert "`n`" in str(reader.explain(raised.value, b"a," + cell))
