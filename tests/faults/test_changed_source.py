"""A source that is not what it was: between two runs, and while a run reads it."""

from __future__ import annotations

import asyncio
import json
import os
import random

import pytest

from batchmill.errors import Changed, ConfigError
from faults.little import adds_up

RECORDS = 40


def lines(*ids, **more):
    return b"".join(json.dumps({"id": n, **more}).encode() + b"\n" for n in ids)


def edited(data):
    return data.replace(b'"id": 17}', b'"id": 99}')


def shrunk(data):
    return data[: data.index(b"\n", len(data) // 2) + 1]


def emptied(data):
    return b""


def replaced(data):
    return lines(*range(100, 100 + RECORDS))


def reordered(data):
    rows = data.splitlines(keepends=True)
    random.Random(1).shuffle(rows)
    return b"".join(rows)


def put_in_front(data):
    return lines(1000) + data


def taken_out(data):
    return data.replace(b'{"id": 5}\n', b"")


CHANGES = [edited, shrunk, replaced, reordered, put_in_front, taken_out, emptied]


@pytest.fixture
def done(little):
    little.source.write_bytes(lines(*range(RECORDS)))
    assert little.run(key="id", order="input").succeeded == RECORDS
    return little


@pytest.mark.parametrize("change", CHANGES)
def test_with_a_key_a_changed_source_is_taken_up_again(done, change):
    done.source.write_bytes(change(done.source.read_bytes()))
    before = {n: {"id": n} for n in range(RECORDS)}
    now = [json.loads(line)["id"] for line in done.source.read_bytes().splitlines()]

    report = done.run(key="id", order="input")

    new = [n for n in now if n not in before]
    assert sorted(json.loads(record)["id"] for record in done.called) == sorted(new)
    assert sorted(r["id"] for r in done.results()) == sorted([*before, *new])
    assert (report.state, report.succeeded, report.pending) == ("completed", len(now), 0)
    assert any("rebuilt" in note for note in done.notes)
    assert done.run(key="id", order="input").called == 0


@pytest.mark.parametrize("change", CHANGES)
def test_without_a_key_a_changed_source_is_refused_until_it_is_as_it_was(little, change):
    little.source.write_bytes(lines(*range(RECORDS)))
    little.run()
    whole, output, ledger = little.source.read_bytes(), little.text(), little.ledger.read_bytes()
    little.source.write_bytes(change(whole))

    with pytest.raises(Changed) as caught:
        little.run()

    assert caught.value.exit_code == 2
    assert "--restart" in caught.value.hint
    assert "key" in caught.value.hint
    assert little.text() == output
    assert len(little.ledger.read_bytes()) == len(ledger)
    little.source.write_bytes(whole + lines(RECORDS))
    assert little.run().called == 1
    assert len(little.results()) == RECORDS + 1


@pytest.mark.parametrize("change", CHANGES)
def test_without_a_key_a_restart_takes_the_changed_source_and_keeps_the_old_output(little, change):
    little.source.write_bytes(lines(*range(RECORDS)))
    little.run()
    before = little.text()
    little.source.write_bytes(change(little.source.read_bytes()))
    now = little.source.read_bytes().count(b"\n")

    report = little.run(restart=True)

    assert (report.state, report.succeeded) == ("completed", now)
    assert (little.folder / "out.jsonl.bak-1").read_bytes() == before


def test_a_source_that_is_gone_is_refused_and_goes_on_when_it_is_back(done):
    done.source.rename(done.folder / "elsewhere")

    with pytest.raises(ConfigError, match="does not exist"):
        done.run(key="id", order="input")

    (done.folder / "elsewhere").rename(done.source)
    assert done.run(key="id", order="input").called == 0


def test_a_source_that_was_only_touched_or_copied_is_no_other(done):
    done.source.touch()
    assert done.run(key="id", order="input").called == 0
    copy = done.folder / "copy"
    copy.write_bytes(done.source.read_bytes())
    copy.rename(done.source)

    assert done.run(key="id", order="input").called == 0
    assert not any("rebuilt" in note for note in done.notes)


def test_dead_letters_outlive_a_source_that_cannot_be_read_for_a_while(little):
    little.options["key"] = "id"
    little.write({"id": 1}, b"bad", {"id": 3})
    whole = little.source.read_bytes()
    assert little.run().failed == 1
    little.source.write_bytes('{"id": 1}\n'.encode("utf-16"))
    with pytest.raises(Exception, match="UTF-16"):
        little.run()
    little.source.write_bytes(whole)

    report = little.run()

    assert (report.read, report.succeeded, report.failed) == (3, 2, 1)
    assert little.failed() == {1: "InvalidRecord"}


# While a run reads it.


def while_running(little, change, *, at=3):
    """A run of many records during whose call of record `at` the source is changed."""
    little.source.write_bytes(lines(*range(20_000), text="x" * 100))

    async def task(record):
        if record["id"] == at:
            change(little.source)
        return {"id": record["id"]}

    return little.run(task, commit_every_s=0)


def overwrite(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[: len(data) - len(data) // 2])


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def replace_by_another(path):
    other = path.with_suffix(".new")
    other.write_bytes(lines(*range(50_000, 70_000), text="x" * 100))
    other.replace(path)


def delete(path):
    path.unlink()


@pytest.mark.parametrize("change", [overwrite, cut, replace_by_another, delete])
def test_a_source_that_is_changed_while_it_is_read_stops_the_run(little, change):
    report = while_running(little, change)

    assert (report.state, report.exit_code) == ("aborted", 1)
    assert str(little.source) in report.reason
    assert 0 < report.succeeded < 20_000
    assert adds_up(report)
    assert len(little.results()) == report.succeeded
    little.source.write_bytes(lines(*range(20_000), text="x" * 100))
    assert little.run(short).state == "completed"
    assert sorted(r["id"] for r in little.results()) == list(range(20_000))


async def short(record):
    return {"id": record["id"]}


def test_a_source_that_grows_while_it_is_read_is_read_to_its_new_end_or_by_the_next_run(little):
    def grow(path):
        with path.open("ab") as file:
            file.write(lines(*range(20_000, 20_100)))

    report = while_running(little, grow)

    assert report.state == "completed"
    assert little.run(short).state == "completed"
    assert sorted(r["id"] for r in little.results()) == list(range(20_100))


@pytest.mark.parametrize("change", [overwrite, cut, replace_by_another])
def test_a_source_that_is_changed_before_it_is_first_read_stops_the_run(little, change):
    """The records of earlier runs come first; meanwhile nobody has the source open."""
    little.source.write_bytes(lines(*range(40)))

    async def fail(record):
        raise ValueError("for the time being")

    little.run(fail, limit=1)
    calls = []

    async def task(record):
        calls.append(record)
        if len(calls) == 1:
            change(little.source)
            await asyncio.sleep(0.01)
        return record

    report = little.run(task, concurrency=1)

    assert calls[0] == {"id": 0}
    assert report.state == "aborted", "what it has read is not what it had looked at"
    assert str(little.source) in report.reason
    assert len(calls) == 1
