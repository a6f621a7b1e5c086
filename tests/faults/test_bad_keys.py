"""Keys that are missing, strange, large or not the only ones of their kind."""

from __future__ import annotations

import json

import pytest

from faults.little import adds_up


@pytest.mark.parametrize("key", [None, True, False, 1.5, [], ["a"], {}, {"a": 1}, ""])
def test_a_value_that_is_no_name_is_a_dead_letter(little, key):
    little.write({"id": "a"}, {"id": key, "x": 1}, {"id": "b"})

    report = little.run(key="id")

    assert (report.succeeded, report.failed) == (2, 1)
    assert little.failed() == {1: "MissingKey"}
    assert little.letters()[0]["record"] == {"id": key, "x": 1}
    assert adds_up(report)


@pytest.mark.parametrize("value", [{"other": 1}, {}, 5, None, [1], "id"])
def test_a_record_without_its_key_is_a_dead_letter(little, value):
    little.write({"id": "a"}, value)

    little.run(key="id")

    assert little.failed() == {1: "MissingKey"}
    assert "'id'" in little.letters()[0]["error"]["message"]


def test_records_with_the_same_key_are_each_called_and_each_have_their_result(little):
    little.write(*[{"id": n % 2, "n": n} for n in range(6)])

    report = little.run(key="id", order="input")

    assert report.succeeded == 6
    assert [r["n"] for r in little.results()] == list(range(6))
    assert little.run(key="id", order="input").called == 0


def test_a_number_and_its_spelling_are_two_keys(little):
    little.write({"id": 1}, {"id": "1"})
    little.run(key="id")
    little.output.write_bytes(b'{"id":"1"}\n')

    little.run(key="id")

    assert list(little.called) == ['{"id": 1}']


@pytest.mark.parametrize("key", [2**64, -(2**70), 10**300, "ü" * 5000, "a\0b", "\u2028", "'\"\\"])
def test_a_key_of_any_size_names_its_dead_letter(little, key):
    little.write({"id": key}, {"id": 2})

    async def fail(record):
        raise ValueError(record["id"])

    report = little.run(fail, key="id")

    assert (report.state, report.failed) == ("completed", 2)
    assert [letter["key"] for letter in little.letters()] == [key, 2]
    assert [letter["record"] for letter in little.letters()] == [{"id": key}, {"id": 2}]
    again = little.run(key="id")
    assert (again.succeeded, again.failed) == (2, 0)


def test_progress_is_found_again_by_keys_of_any_size(little):
    keys = [2**64, 2**64 + 1, -(2**70), 10**300, "ü" * 5000, "a\0b", "\u2028"]
    little.write(*[{"id": key} for key in keys])
    little.run(key="id")
    little.ledger.unlink()

    report = little.run(key="id", adopt=True)

    assert (report.called, report.succeeded) == (0, len(keys))
    assert sorted(map(json.dumps, little.results())) == sorted(
        json.dumps({"id": key}) for key in keys
    )
