"""What was written as CSV is found again row by row, wherever the pieces are cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.errors import Changed
from batchmill.formats import csv_rows
from batchmill.formats.csv_rows import CsvRows
from batchmill.formats.csv_shape import CsvShape
from batchmill.formats.json_rows import JsonRows
from formats.test_csv_writer import as_text, shapes, tables, written


def pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def results(data, size=1000, **options):
    rows = CsvRows(CsvShape.of(options)).rows(pieces(data, size))
    return [row.result for row in rows if not row.is_head]


@given(tables, shapes, st.integers(1, 50))
def test_every_row_is_found_again_with_its_bytes_and_its_place(table, shape, size):
    data = written(table, shape)

    found = list(CsvRows(shape).rows(pieces(data, size)))

    expected = [{name: as_text(value) for name, value in row.items()} for row in table]
    assert expected == [row.result for row in found if not row.is_head]
    assert data == b"".join(row.raw + b"\n" for row in found)
    assert all(data[row.offset :].startswith(row.raw) for row in found)


def test_a_guarded_file_is_read_as_it_was_before():
    assert results(b"'=a,b\n'=1,-5\n'x,'-y\n", guard_formulas=True) == [
        {"=a": "=1", "b": "-5"}, {"=a": "'x", "b": "-y"}]  # fmt: skip


def test_rows_that_do_not_fit_the_header_cannot_be_read():
    assert results(b"a,b\n1,2\n3\n\n4,5,6\n7,8") == [
        {"a": "1", "b": "2"}, None, None, None, {"a": "7", "b": "8"}]  # fmt: skip


def test_a_quote_that_is_never_closed_costs_its_own_row_only():
    data = b'a,b\n1,2\n"3,4\n5,6\n"x\ny",8\n"9,9\n10,11\n'

    assert results(data) == [
        {"a": "1", "b": "2"}, None, {"a": "5", "b": "6"}, {"a": "x\ny", "b": "8"}, None,
        {"a": "10", "b": "11"}]  # fmt: skip


def test_an_open_quote_is_not_followed_for_ever(monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_ROW_BYTES", 100)
    data = b'a,b\n"1,2\n' + b"3,4\n" * 50 + b'5",6\n'

    assert [None, *[{"a": "3", "b": "4"}] * 50, {"a": '5"', "b": "6"}] == results(data, size=7)


def test_long_cells_are_read():
    assert [{"a": "x" * 300_000}] == results(b"a\n" + b"x" * 300_000 + b"\n")


def test_bytes_that_the_encoding_does_not_have_cannot_be_read():
    assert results(b"a\n\xff\n") == [None]
    assert results(b"a\n\xff\n", encoding="latin-1") == [{"a": "ÿ"}]


def test_what_an_editor_makes_of_the_file_can_be_read():
    assert results(b"\xef\xbb\xbfa,b\r\n1,2\r\n") == [{"a": "1", "b": "2"}]


def test_an_output_is_continued_with_the_columns_it_has():
    rows = CsvRows(CsvShape())
    rows.go_on([b"b,a\n1,2\n"], "out.csv")

    assert rows.columns.names == ("b", "a")
    assert rows.head() == b"b,a\n"


@pytest.mark.parametrize("header", [b"a,b\n", b"a\n", b"a,c,b\n"])
def test_an_output_with_other_columns_is_not_continued(header):
    with pytest.raises(Changed, match=r"out.csv has the columns .*, and sink.fieldnames says"):
        CsvRows(CsvShape(fieldnames=("b", "a"))).go_on([header], "out.csv")


def test_a_column_that_was_added_to_mark_rows_is_kept():
    rows = CsvRows(CsvShape(fieldnames=("a", "b")), rerun_key="redo")
    rows.go_on([b"a,b,redo\n"], "out.csv")

    assert rows.columns.names == ("a", "b", "redo")


def test_a_header_that_is_none_is_refused():
    with pytest.raises(Changed, match=r"the header of out\.csv"):
        CsvRows(CsvShape()).go_on([b"a,a\n1,2\n"], "out.csv")


@pytest.mark.parametrize(
    ("value", "marked"),
    [("true", True), ("True", True), (" YES ", True), ("1", True), ("x", True), ("on", True),
     ("", False), ("false", False), ("0", False), ("no", False), ("False", False)],
)  # fmt: skip
def test_a_mark_is_a_word_that_means_yes(value, marked):
    assert CsvRows(CsvShape()).is_marked(value) is marked


def test_a_key_is_compared_as_text():
    assert CsvRows(CsvShape()).key(5) == "5"
    assert JsonRows().key(5) == 5


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)), st.integers(1, 9))
def test_lines_of_json_are_found_again_too(results, size):
    data = b"".join(json.dumps(result).encode() + b"\n" for result in results)

    assert results == [row.result for row in JsonRows().rows(pieces(data, size))]
