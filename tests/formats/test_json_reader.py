"""A line of JSON is a record, or says in one sentence why it is none."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.errors import InvalidRecord, MissingKey, RecordTooLarge
from batchmill.formats.json_reader import JsonReader
from batchmill.records import Oversized
from batchmill.sources.iterable import NOT_JSON
from batchmill.tasks.typed import decoder_for

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)  # fmt: skip


def explained(raw, reader=None, error=None):
    """What the reader says of a line that it could not read."""
    reader = reader or JsonReader()
    if error is None:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever a decoder raises
            reader.decode(raw)
        error = caught.value
    return reader.explain(error, raw)


@given(VALUES)
def test_any_json_value_is_read_as_it_was_written(value):
    raw = json.dumps(value, ensure_ascii=False).encode()

    assert value == JsonReader().decode(raw)
    assert value == JsonReader().decode(b" \t" + raw + b"\r\n")


def test_integers_keep_their_size():
    assert 10**40 == JsonReader().decode(b"1" + b"0" * 40)


@given(st.binary())
def test_bytes_are_a_record_or_a_sentence_that_says_why_not(raw):
    reader = JsonReader()

    try:
        reader.decode(raw)
    except Exception as error:
        told = reader.explain(error, raw)
        assert (told is None) == (not raw.strip())
        assert told is None or (isinstance(told, InvalidRecord) and str(told))


@pytest.mark.parametrize("raw", [b"", b"\n", b" \t\r\n"])
def test_a_blank_line_is_no_record(raw):
    assert explained(raw) is None


def test_a_line_that_is_too_long_says_how_long_it_is_and_what_to_do():
    told = explained(Oversized(5_000_000, b'{"a": 1'))

    assert isinstance(told, RecordTooLarge)
    assert "the record has 5000000 bytes; hint: raise source.max_record_bytes" == str(told)


def test_an_item_that_json_could_not_carry_says_why():
    told = explained(NOT_JSON + "a set of <ä>".encode())

    assert isinstance(told, InvalidRecord)
    assert "a set of <ä>" == str(told)


def test_a_record_that_is_nested_too_deep_says_so():
    told = explained(b"[" * 100_000 + b"]" * 100_000)

    assert isinstance(told, InvalidRecord)
    assert "the record is nested too deep to be read" == str(told)


# Keys.


@pytest.mark.parametrize(("raw", "key"), [(b'{"id": "a"}', "a"), (b'{"id": 7}', 7),
                                          (b'{"id": 0}', 0)])  # fmt: skip
def test_the_key_is_a_string_or_an_integer(raw, key):
    reader = JsonReader(key="id")

    assert key == reader.key_of(raw)
    assert {"id": key} == reader.decode(raw)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{}", "the record has no 'id'"),
        (b"[1]", "the record has no 'id'"),
        (b'{"id": null}', "the record's 'id' is None; a key is a string or an integer"),
        (b'{"id": ""}', "the record's 'id' is ''; a key is a string or an integer"),
        (b'{"id": true}', "the record's 'id' is True; a key is a string or an integer"),
        (b'{"id": 1.5}', "the record's 'id' is 1.5; a key is a string or an integer"),
        (b'{"id": [1]}', "the record's 'id' is [1]; a key is a string or an integer"),
    ],
)
def test_a_record_without_a_usable_key_says_what_stands_there(raw, says):
    reader = JsonReader(key="id")

    told = explained(raw, reader)

    assert isinstance(told, MissingKey)
    assert says == str(told)
    assert reader.key_of(raw) is None


@given(st.binary())
def test_asking_for_the_key_never_raises(raw):
    key = JsonReader(key="id").key_of(raw)

    assert key is None or isinstance(key, str | int)


def test_without_a_key_nobody_is_asked_for_one():
    assert JsonReader().key_of(b'{"id": 1}') is None
    assert {} == JsonReader().decode(b"{}")


# Typed records.


class Row(msgspec.Struct):
    id: str
    lat: float


def typed(key=None):
    decoder = decoder_for(Row)
    return JsonReader(decoder.decode, decoder.explain, key)


def test_a_typed_record_is_read_as_its_type_and_still_has_its_key():
    raw = b'{"id": "a", "lat": 1}'

    assert Row("a", 1.0) == typed("id").decode(raw)
    assert "a" == typed("id").key_of(raw)


def test_a_typed_record_that_does_not_fit_names_the_field():
    told = explained(b'{"id": "a", "lat": "x"}', typed())

    assert "field `lat`: expected `float`, got `str`" == str(told)


def test_the_key_of_a_record_that_does_not_fit_its_type_is_still_known():
    assert "a" == typed("id").key_of(b'{"id": "a"}')


def test_a_decoder_of_no_words_is_told_in_those_of_its_error():
    told = explained(b"{", error=ValueError("half a record"))

    assert isinstance(told, InvalidRecord)
    assert "half a record" == str(told)
