"""A ledger that is damaged, lost, from the future, or not a ledger at all."""

from __future__ import annotations

import random
import sqlite3

import pytest

from batchmill.errors import Changed, LedgerError

RECORDS = 30


@pytest.fixture
def done(little):
    """A job that was completed, with a dead letter."""
    little.write(*[{"id": n} for n in range(RECORDS)], b"bad")
    little.options["key"] = "id"
    assert little.run(order="completion").failed == 1
    return little


def other_database(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
        db.execute("INSERT INTO songs VALUES ('precious')")
    db.close()


def newer(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def emptied_tables(path):
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE dead_letters")
    db.close()


def nonsense_in_a_row(path):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE job SET state = CAST('nonsense' AS BLOB)")
    db.close()


def random_bytes(path):
    path.write_bytes(random.Random(1).randbytes(20_000))


def cut_short(path):
    path.write_bytes(path.read_bytes()[:5000])


def other_text(path):
    path.write_bytes(b"this is a text, and no ledger\n" * 100)


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def a_name_that_is_no_text(path):
    path.write_bytes(path.read_bytes().replace(b"TABLE samples", b"TABLE sam\xf0les"))


DAMAGE = [random_bytes, cut_short, other_text, zeros, other_database, newer, emptied_tables,
          nonsense_in_a_row, a_name_that_is_no_text]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_ledger_is_refused_and_nothing_is_touched(done, damage):
    done.ledger.unlink()
    done.run(adopt=True)
    if damage is other_database:
        done.ledger.unlink()
    damage(done.ledger)
    before = done.ledger.read_bytes(), done.text()

    with pytest.raises(LedgerError) as caught:
        done.run()

    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert str(done.ledger) in caught.value.message
    assert (done.ledger.read_bytes(), done.text()) == before


def test_a_ledger_of_a_newer_version_says_what_to_do(done):
    newer(done.ledger)

    with pytest.raises(LedgerError, match="newer") as caught:
        done.run()

    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("damage", DAMAGE[:4])
def test_what_the_hint_says_works_with_a_key(done, damage):
    damage(done.ledger)
    done.ledger.rename(done.ledger.with_suffix(".old"))

    report = done.run(adopt=True)

    assert (report.called, report.succeeded, report.failed) == (0, RECORDS, 1)
    assert sorted(r["id"] for r in done.results()) == list(range(RECORDS))


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_the_hint_says_works_without_a_key(done, damage):
    if damage is other_database:
        done.ledger.unlink()
    damage(done.ledger)
    before = done.text()

    report = done.run(restart=True)

    assert report.succeeded == RECORDS
    assert len(done.results()) == RECORDS
    assert (done.folder / "out.jsonl.bak-1").read_bytes() == before


def test_an_empty_ledger_is_a_lost_one(done):
    done.ledger.write_bytes(b"")
    before = done.text()

    with pytest.raises(Changed, match="has content"):
        done.run(key=None)

    assert done.text() == before
    done.ledger.write_bytes(b"")
    report = done.run(adopt=True)
    assert (report.called, report.succeeded) == (0, RECORDS)
    assert done.text() == before


def test_a_lost_ledger_without_a_key_is_refused_and_leaves_nothing_behind(done):
    done.ledger.unlink()
    before = done.text()

    for _ in range(2):
        with pytest.raises(Changed) as caught:
            done.run(key=None)
        assert "key" in caught.value.hint

    assert done.text() == before
    assert not done.ledger.exists()


def test_a_log_that_was_left_beside_another_ledger_does_no_harm(done):
    wal = done.ledger.with_name("out.ledger-wal")
    wal.write_bytes(random.Random(2).randbytes(30_000))

    report = done.run()

    assert report.succeeded == RECORDS
    assert len(done.results()) == RECORDS


@pytest.mark.parametrize("seed", range(60))
def test_a_ledger_with_a_page_of_garbage_never_loses_a_result(little, seed):
    """Garbage in a page is found, or does not matter: what it may not do is pass for the truth."""
    draw = random.Random(seed)
    little.write(*[{"id": n} for n in range(RECORDS)], *[b"bad" * 500 for _ in range(10)])
    little.options["key"] = "id"
    little.run()
    data = bytearray(little.ledger.read_bytes())
    at = draw.randrange(len(data) // 512) * 512
    size = draw.choice([512, 4096])
    data[at : at + size] = draw.choice([bytes(size), draw.randbytes(size)])
    little.ledger.write_bytes(data)

    try:
        report = little.run()
    except LedgerError:
        little.ledger.unlink()
        report = little.run(adopt=True)

    assert report.state == "completed"
    assert sorted(r["id"] for r in little.results()) == list(range(RECORDS))
    assert (report.succeeded, report.failed) == (RECORDS, 10)
    assert len(little.letters()) == 10
