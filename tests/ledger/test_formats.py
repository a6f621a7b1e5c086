"""Ledgers of every format there ever was are read as they are, and finished by the next run."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from batchmill import Job, run
from batchmill.errors import LedgerError
from batchmill.formats.json_reader import JsonReader
from batchmill.ledger import upgrade
from batchmill.ledger.ledger import SqliteLedger
from batchmill.ledger.reading import read_ledger
from batchmill.ledger.schema import FORMAT
from batchmill.ledger.verify import verify
from batchmill.paths import JobPaths
from batchmill.records import OutcomeCode
from batchmill.sources.jsonl import JsonlFile
from small_jobs import tamper

FOLDER = Path(__file__).parent / "formats"
KINDS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*") if path.is_dir())
SETTLED = {"complete": 60, "interrupted": 25, "killed": 58, "rerun": 60}


@pytest.fixture(params=KINDS)
def old(request, tmp_path):
    """A job that another version of batchmill has left."""
    shutil.copytree(FOLDER / request.param, tmp_path, dirs_exist_ok=True)
    return tmp_path


def kind_of(request):
    return request.node.callspec.params["old"].rpartition("/")[2]


def mended(record):
    """What the task of these jobs makes of a record, since nothing fails any more."""
    n = record["n"]
    if n % 5 == 4:
        return None
    return [{"id": record["id"], "part": part} for part in range(n % 3)] if n % 11 == 1 else record


def job(folder, **more):
    return Job(source=folder / "in.jsonl", sink=folder / "out.jsonl", task=mended, key="id", **more)


def differences(folder):
    found = verify(JobPaths.of(folder / "out.jsonl"), source=JsonlFile(folder / "in.jsonl"),
                   key="id", key_of=JsonReader(key="id").key_of)  # fmt: skip
    return [finding for finding in found if finding.verdict == "differs"]


def files(folder):
    """What lies there, but for the index of a log, which belongs to whoever has it open."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.endswith("-shm")}


def expected(folder):
    lines = (folder / "in.jsonl").read_text().split()
    results = [mended(json.loads(line)) for line in lines]
    flat = [each for one in results if one is not None
            for each in (one if isinstance(one, list) else [one])]  # fmt: skip
    return sorted(json.dumps(each, sort_keys=True) for each in flat)


def test_it_is_read_without_a_change(old, request):
    before = files(old)

    with read_ledger(old / "out.ledger") as ledger:
        assert ledger.format <= FORMAT
        assert ledger.counts.settled == SETTLED[kind_of(request)]
        assert sum(1 for _ in ledger.letters()) == ledger.counts.failed
        assert ledger.progress.settled == ledger.counts.settled + ledger.counts.blank
        assert ledger.last_run().host == "demo"
    assert differences(old) == []

    assert files(old) == before


def test_the_next_run_goes_on_and_ends_as_if_nothing_had_happened(old):
    report = run(job(old))

    assert (report.state, report.read, report.failed) == ("completed", 60, 0)
    written = [json.loads(line) for line in (old / "out.jsonl").read_text().splitlines()]
    assert sorted(json.dumps(each, sort_keys=True) for each in written) == expected(old)
    assert differences(old) == []
    with read_ledger(old / "out.ledger") as ledger:
        assert ledger.format == FORMAT
        assert ledger.problems() == []
    assert not list(old.glob("*-wal"))


def test_a_copy_is_kept_which_is_whole_by_itself(old):
    with read_ledger(old / "out.ledger") as ledger:
        counts, number = ledger.counts, ledger.format
    run(job(old))

    copy = old / f"out.ledger.v{number}"
    with read_ledger(copy) as ledger:
        assert (ledger.format, ledger.counts) == (number, counts)


def test_what_a_settled_record_was_is_not_known_to_format_1(tmp_path):
    shutil.copytree(FOLDER / "1/complete", tmp_path, dirs_exist_ok=True)

    with closing(SqliteLedger(tmp_path / "out.ledger", "job")) as ledger:
        found = {ledger.progress.code(seq) for seq in range(66)}

    assert found == {OutcomeCode.UNKNOWN, OutcomeCode.FAILED}


class Killed(BaseException):
    """Ends an upgrade where it is, as a kill would, for all that SQLite and the disk can tell."""


STEPS = {
    "while the copy is made": (upgrade.os, "replace"),
    "between copy and transaction": (upgrade, "read_1"),
    "in the transaction": (upgrade, "_carry_over"),
}


@pytest.mark.parametrize("step", STEPS)
def test_an_upgrade_that_was_cut_short_is_made_again(old, monkeypatch, step):
    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(*STEPS[step], die)
        with pytest.raises(Killed):
            SqliteLedger(old / "out.ledger", "job")
    with read_ledger(old / "out.ledger") as ledger:
        assert ledger.format < FORMAT

    run(job(old))

    assert differences(old) == []
    assert [path.name for path in old.glob("*.tmp")] == []


def test_a_newer_format_is_refused_by_its_number(old):
    run(job(old))
    tamper(old / "out.ledger", "PRAGMA user_version = 3")

    with pytest.raises(LedgerError, match="format 3, known up to 2") as caught:
        run(job(old))

    assert "upgrade" in caught.value.hint


def test_a_ledger_of_an_earlier_format_that_is_damaged_is_refused_and_kept(tmp_path):
    shutil.copytree(FOLDER / "1/complete", tmp_path, dirs_exist_ok=True)
    with closing(sqlite3.connect(tmp_path / "out.ledger")) as db, db:
        db.execute("UPDATE job SET ranges = 'nonsense'")
    before = (tmp_path / "out.ledger").read_bytes()

    with pytest.raises(LedgerError, match="damaged"):
        run(job(tmp_path))

    assert (tmp_path / "out.ledger").read_bytes() == before


@pytest.mark.parametrize("nonsense", [
    "UPDATE runs SET report = '{nonsense'", "UPDATE dead_letters SET key = 'nonsense'",
])  # fmt: skip
def test_nonsense_in_a_row_that_has_no_checksum_is_told(tmp_path, nonsense):
    shutil.copytree(FOLDER / "1/complete", tmp_path, dirs_exist_ok=True)
    with closing(sqlite3.connect(tmp_path / "out.ledger")) as db, db:
        db.execute(nonsense)

    with pytest.raises(LedgerError, match="cannot be read"), \
            read_ledger(tmp_path / "out.ledger") as ledger:  # fmt: skip
        assert [*ledger.runs(), *ledger.letters()]
    with pytest.raises(LedgerError, match="cannot be read"):
        run(job(tmp_path))
