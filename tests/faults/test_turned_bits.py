"""Single bits of a ledger that have turned: refused, or without a consequence; never a lost row."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from batchmill.errors import LedgerError
from batchmill.ledger.reading import read_ledger
from faults.little import Little
from small_jobs import tamper

RECORDS = 120


def fails_at_first(record):
    if record["id"] % 10 == 3:
        raise ValueError("not yet")
    return None if record["id"] % 10 == 4 else record


def mended(record):
    return None if record["id"] % 10 == 4 else record


EXPECTED = [n for n in range(RECORDS) if n % 10 != 4]


@pytest.fixture(scope="module")
def half_done(tmp_path_factory) -> Path:
    """A job with results, filtered records and dead letters, and as many records to go."""
    little = Little(tmp_path_factory.mktemp("half"))
    little.write(*[{"id": n} for n in range(RECORDS)])
    little.run(fails_at_first, limit=RECORDS // 2)
    return little.folder


@pytest.fixture
def again(half_done, tmp_path) -> Little:
    shutil.copytree(half_done, tmp_path, dirs_exist_ok=True)
    return Little(tmp_path)


def finish(little: Little) -> str:
    """What becomes of the job: "refused", or "done" with each result once."""
    output = little.output.read_bytes()
    try:
        report = little.run(mended)
    except LedgerError:
        assert little.output.read_bytes() == output
        return "refused"
    assert report.state == "completed", report.reason
    assert sorted(each["id"] for each in little.results()) == EXPECTED
    return "done"


def test_without_a_turned_bit_the_job_ends(again):
    assert finish(again) == "done"


NUMBERS = [("job", "number"), ("job", "epoch"), ("job", "checksum"), ("outcomes", "block"),
           ("outcomes", "checksum"), ("dead_letters", "seq"), ("dead_letters", "attempts"),
           ("dead_letters", "run"), ("dead_letters", "complete"), ("dead_letters", "checksum"),
           ("runs", "pid")]  # fmt: skip


@pytest.mark.parametrize(("table", "column"), NUMBERS)
@pytest.mark.parametrize("bit", [0, 3, 6])
def test_a_number_with_a_turned_bit(again, table, column, bit):
    first = f"rowid = (SELECT min(rowid) FROM {table})"
    turned = f"(({column} | {1 << bit}) - ({column} & {1 << bit}))"
    tamper(again.ledger, f"UPDATE OR IGNORE {table} SET {column} = {turned} WHERE {first}")

    assert finish(again) == "refused" or column == "pid"


@pytest.mark.parametrize("number", ["low_water", "length", "succeeded", "filtered", "offset"])
def test_a_digit_of_the_state(again, number):
    with closing(sqlite3.connect(again.ledger)) as db, db:
        state = db.execute("SELECT state FROM job").fetchone()[0]
        at = state.index(f'"{number}":'.encode()) + len(number) + 3
        turned = state[:at] + bytes([state[at] ^ 1]) + state[at + 1 :]
        assert json.loads(turned)
        db.execute("UPDATE job SET state = ?", (turned,))

    assert finish(again) == "refused"


@pytest.mark.parametrize("part", range(8))
def test_any_bit_of_the_file(again, part):
    data = again.ledger.read_bytes()
    chance = random.Random(part)
    kept = again.output.read_bytes()
    ends = set()
    for _ in range(12):
        at, bit = chance.randrange(len(data)), chance.randrange(8)
        turned = bytearray(data)
        turned[at] ^= 1 << bit
        again.ledger.write_bytes(turned)
        again.output.write_bytes(kept)
        for left in again.folder.glob("out.ledger-*"):
            left.unlink()
        ends.add(finish(again))

    assert ends <= {"done", "refused"}


def test_each_command_says_what_is_damaged(again):
    tamper(again.ledger, "UPDATE dead_letters SET message = 'other' WHERE seq = 13")

    with (
        pytest.raises(LedgerError, match="dead letter of seq 13") as caught,
        read_ledger(again.ledger) as ledger,
    ):
        list(ledger.letters())

    assert "adopt" in caught.value.hint
