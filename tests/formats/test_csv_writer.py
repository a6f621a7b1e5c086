"""A result is written as a row of CSV that reads back the same, or not at all."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import pickle
import threading
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.errors import ConfigError, UnencodableResult, WrongResult
from batchmill.formats.csv_cells import Cells
from batchmill.formats.csv_shape import CsvShape
from batchmill.formats.csv_writer import CsvWriter
from batchmill.formats.numbers import exact_decoder

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
tricky = st.text(st.sampled_from("a,;\t\"'\r\n =-é"), max_size=6)
cells = texts | tricky
values = cells | st.none() | st.booleans() | st.integers() | st.floats(
    allow_nan=False, allow_infinity=False)  # fmt: skip
shapes = st.builds(
    CsvShape,
    delimiter=st.sampled_from(",;\t|"),
    quotechar=st.sampled_from("\"'"),
    quoting=st.sampled_from(["minimal", "all", "nonnumeric"]),
    lineterminator=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
tables = st.lists(cells, min_size=1, max_size=5, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, values)), min_size=1,
                           max_size=5))  # fmt: skip


def writer(**options):
    return CsvWriter(CsvShape.of(options))


def written(rows, shape):
    """A whole file of these rows."""
    out = CsvWriter(shape)
    lines = [out.encode(row) for row in rows]
    return shape.byte_order_mark + Cells(shape).header(out.columns.names) + out.join(lines)


def read(data, shape):
    text = io.StringIO(data.decode(shape.encoding), newline="")
    return list(csv.DictReader(text, delimiter=shape.delimiter, quotechar=shape.quotechar,
                               strict=True))  # fmt: skip


def as_text(value):
    return "" if value is None else str(value)


@given(tables, shapes)
def test_any_rows_come_back_equal_through_pythons_own_reader(rows, shape):
    expected = [{name: as_text(value) for name, value in row.items()} for row in rows]

    assert expected == read(written(rows, shape), shape)


@given(tables)
def test_the_default_writes_what_pythons_own_writer_writes(rows):
    rows = [{k: v.replace("\r", "") if isinstance(v, str) else v for k, v in row.items()}
            for row in rows]  # fmt: skip
    out = writer(fieldnames=list(rows[0]))
    theirs = io.StringIO(newline="")
    names = list(rows[0])
    csv.writer(theirs, lineterminator="\n").writerows([row[n] for n in names] for row in rows)

    assert theirs.getvalue().encode() == out.join([out.encode(row) for row in rows])


@given(st.lists(cells, min_size=1))
def test_a_guarded_file_has_no_cell_that_begins_a_formula(texts):
    shape = CsvShape(guard_formulas=True)

    for row in read(written([{"a": text} for text in texts], shape), shape):
        assert (
            not row["a"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
            or float(row["a"]) is not None
        )


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("@x", "'@x"), ("-a", "'-a"), ("+cmd|' /C calc'!A0",
         "'+cmd|' /C calc'!A0"), ("-5", "-5"), ("+1.5e3", "+1.5e3"), (-5, "-5"), ("'x", "'x"),
    ],
)  # fmt: skip
def test_formulas_are_guarded_and_numbers_left_alone(value, cell):
    assert f"{cell},x\n" == writer(guard_formulas=True).encode({"a": value, "b": "x"}).decode()


def test_without_the_guard_cells_are_written_as_they_are():
    assert writer().encode({"a": "=1+1", "b": "x"}) == b"=1+1,x\n"


def test_the_columns_are_those_of_the_first_result_in_any_order_of_keys():
    out = writer()

    assert out.encode({"b": 1, "a": 2}) == b"1,2\n"
    assert out.encode({"a": 3, "b": 4}) == b"4,3\n"
    assert out.columns.names == ("b", "a")


def test_fieldnames_say_which_columns_there_are():
    assert writer(fieldnames=["a", "b", "c"]).encode({"c": 3, "a": 1}) == b"1,,3\n"


def test_columns_that_are_told_later_are_taken_over():
    out = writer()
    out.columns.names = ("b", "a")

    assert out.encode({"a": 1, "b": 2}) == b"2,1\n"


def test_a_result_with_another_column_is_refused_and_says_which():
    out = writer()
    out.encode({"a": 1})

    with pytest.raises(UnencodableResult, match=r"has 'x'.* columns are a; hint: .*fieldnames"):
        out.encode({"a": 1, "x": 2})


@pytest.mark.parametrize("bad", [{"x": float("nan")}, {}, [{"x": 1}, {"y": 2}], {"x\0": 1}, {1: 2}])
def test_a_first_result_that_cannot_be_written_settles_no_columns(bad):
    out = writer()

    with pytest.raises(UnencodableResult):
        out.encode(bad)

    assert out.encode({"a": 1}) == b"1\n"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "result['a'] is nan"), (float("-inf"), "result['a'] is -inf"),
        (Decimal("NaN"), "result['a'] is NaN"), (b"x", "result['a'] is a bytes, which CSV"),
        ({1, 2}, "result['a'] is a set"), ([1, {2}], "result['a'][1] is a set"),
        ([float("inf")], "result['a'][0] is inf"), ("x\0", "result['a'] holds a NUL"),
        ("\ud800", "result['a'] holds '\\ud800'"), pytest.param(10**5000, "result['a']", id="huge"),
        (object(), "result['a'] is an object"),
    ],
)  # fmt: skip
def test_what_csv_cannot_carry_is_refused_with_its_place(value, problem):
    out = writer()
    out.encode({"a": 1})

    with pytest.raises(UnencodableResult) as caught:
        out.encode({"a": value})

    assert problem in str(caught.value)


def test_an_encoding_that_lacks_a_character_says_so():
    out = writer(encoding="latin-1")

    assert out.encode({"a": "é"}) == b"\xe9\n"
    with pytest.raises(UnencodableResult, match=r"'\\u0142', which iso8859-1 cannot.*utf-8"):
        out.encode({"a": "ł"})


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Struct(msgspec.Struct):
    x: int
    y: str


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ([1, "a"], '"[1,""a""]"'), ({"k": None}, '"{""k"":null}"'), (True, "True"), (None, '""'),
        (datetime.date(2024, 2, 3), "2024-02-03"), (Decimal("1.10"), "1.10"),
        (10**30, "1" + "0" * 30),
        (1.5, "1.5"), ("", '""'), (Point(1, 2.0), '"{""x"":1,""y"":2.0}"'),
    ],
)  # fmt: skip
def test_values_become_cells(value, cell):
    assert f"{cell}\n" == writer().encode({"a": value}).decode()


def test_objects_with_fields_are_rows():
    assert writer().encode(Point(1, 2.0)) == b"1,2.0\n"
    assert writer().encode(Struct(1, "a,b")) == b'1,"a,b"\n'
    assert writer().encode([Point(1, 2.0), {"x": 3, "y": 4}]) == b"1,2.0\n3,4\n"
    assert writer().encode([]) == b""


def test_numbers_keep_their_spelling():
    assert writer().encode(exact_decoder()(b'{"a": 1.10}')) == b"1.10\n"


def test_quoting_can_be_asked_for():
    row = {"a": 'x"', "b": 5, "c": None, "d": True}

    assert writer(quoting="all").encode(row) == b'"x""","5","","True"\n'
    assert writer(quoting="nonnumeric").encode(row) == b'"x""",5,"","True"\n'


@pytest.mark.parametrize("other", [5, "text", None, [5]])
def test_what_is_no_result_is_refused(other):
    with pytest.raises(WrongResult, match="the task returned"):
        writer().encode(other)


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ""}, {"delimiter": "ab"}, {"delimiter": '"'}, {"delimiter": "\n"},
        {"quotechar": "x"}, {"quoting": "some"}, {"lineterminator": "\r"}, {"encoding": "utf-16"},
        {"encoding": "utf-7"}, {"encoding": "klingon"}, {"encoding": 5}, {"fieldnames": []},
        {"fieldnames": "a,b"}, {"fieldnames": ["a", "a"]}, {"fieldnames": [1]}, {"header": False},
        {"header": "no"}, {"guard_formulas": 1},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_named(options):
    with pytest.raises(ConfigError, match=f"sink.{next(iter(options))}"):
        CsvShape.of(options)


@pytest.mark.parametrize(
    "options",
    [{"fieldnames": ["a\0"]}, {"fieldnames": ["ł"], "encoding": "latin-1"},
     {"fieldnames": ["=a", "'=a"], "guard_formulas": True}],
)  # fmt: skip
def test_fieldnames_that_cannot_be_written_are_found_before_anything_runs(options):
    with pytest.raises(ConfigError, match=r"sink\.fieldnames"):
        writer(**options)


def test_a_shape_is_remembered_by_its_settings():
    shape = CsvShape.of({"delimiter": ";", "fieldnames": ["a", "b"], "header": False}, "tsv")

    assert shape == CsvShape.remembered(shape.settings())


def test_threads_settle_on_the_same_columns():
    out, start, found = writer(), threading.Barrier(8), []

    def encode(n):
        start.wait()
        found.append(out.encode({"a": n, "b": n} if n % 2 else {"b": n, "a": n}))

    threads = [threading.Thread(target=encode, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(b"%d,%d\n" % (n, n) for n in range(8)) == sorted(found)
    assert set(out.columns.names) == {"a", "b"}


def test_it_can_be_sent_to_another_process():
    out = writer(delimiter=";")
    out.encode({"b": 1, "a": 2})

    there = pickle.loads(pickle.dumps(out))

    assert there.encode({"a": 3, "b": 4}) == b"4;3\n"
