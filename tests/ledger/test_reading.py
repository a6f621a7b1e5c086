"""A ledger can be read at any time, and reading leaves nothing behind."""

from __future__ import annotations

import os

import pytest

from batchmill import run
from batchmill.errors import LedgerError
from batchmill.events import RunStarted
from batchmill.ledger.next_run import next_run
from batchmill.ledger.reading import read_ledger
from batchmill.paths import JobPaths
from batchmill.wiring.files import settings_of
from small_jobs import done, job, killed, some_records, source_of, tamper, write


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_state_of_a_job_that_has_ended(tmp_path):
    paths = done(tmp_path)
    before = names(tmp_path)

    with read_ledger(paths.ledger) as ledger:
        assert (30, 10, 10) == (
            ledger.counts.succeeded, ledger.counts.filtered, ledger.counts.failed)  # fmt: skip
        assert ledger.pending == 0
        assert ledger.source_complete
        assert [2, 7, 12] == [letter.seq for letter in ledger.letters(most=3)]
        assert ledger.last_run().report["state"] == "completed"
        assert ledger.problems() == []

    assert names(tmp_path) == before


def test_the_state_of_a_job_that_was_killed_with_its_log_left_behind(tmp_path):
    paths = killed(tmp_path, after=20)
    assert "out.ledger-wal" in names(tmp_path)

    with read_ledger(paths.ledger) as ledger:
        assert ledger.counts.settled >= 20
        assert ledger.last_run().ended_at is None

    assert "out.ledger-wal" in names(tmp_path)


def test_the_state_of_a_job_while_it_runs(tmp_path):
    write(tmp_path, *some_records())
    seen = []

    class Looks:
        def on_event(self, event):
            if isinstance(event, RunStarted):
                with read_ledger(tmp_path / "out.ledger") as ledger:
                    seen.append(ledger.last_run().ended_at)

    run(job(tmp_path), observers=[Looks()])

    assert seen == [None]


def test_a_ledger_in_a_folder_that_may_only_be_read(tmp_path):
    paths = done(tmp_path)
    tmp_path.chmod(0o500)

    try:
        with read_ledger(paths.ledger) as ledger:
            assert ledger.counts.succeeded == 30
    finally:
        tmp_path.chmod(0o700)


def test_what_is_no_ledger_is_told(tmp_path):
    (tmp_path / "out.ledger").write_bytes(b"no database at all, but long enough" * 100)

    with pytest.raises(LedgerError, match="damaged"), read_ledger(tmp_path / "out.ledger"):
        pass


def test_a_ledger_with_damaged_values_is_told(tmp_path):
    paths = done(tmp_path)
    tamper(paths.ledger, "UPDATE job SET state = CAST('nonsense' AS BLOB)")

    with pytest.raises(LedgerError, match="damaged"), read_ledger(paths.ledger):
        pass


def test_the_end_of_the_source_is_remembered_until_it_is_read_further(tmp_path):
    paths = done(tmp_path)
    with read_ledger(paths.ledger) as ledger:
        assert ledger.source_complete

    with open(tmp_path / "in.jsonl", "a") as file:
        file.write('{"id": 100}\n{"id": 101}\n')
    run(job(tmp_path, limit=1, retry_failed=False))

    with read_ledger(paths.ledger) as ledger:
        assert not ledger.source_complete


def plan(folder, **fields):
    made = job(folder, **fields)
    paths = JobPaths.of(made.sink)
    options = {"key": made.key, "retry_failed": made.retry_failed}
    if not paths.ledger.exists():
        return next_run(None, paths, source_of(folder), settings_of(made), **options)
    with read_ledger(paths.ledger) as ledger:
        return next_run(ledger, paths, source_of(folder), settings_of(made), **options)


def test_a_job_without_a_ledger_starts(tmp_path):
    write(tmp_path, *some_records())

    assert plan(tmp_path).will == "start"


def test_a_job_with_failed_records_tries_them_again(tmp_path):
    done(tmp_path)

    assert ("resume", "10 failed to be tried again; reading goes on at seq 50") == (
        plan(tmp_path).will,
        plan(tmp_path).why,
    )


def test_a_job_with_nothing_left_has_nothing_to_do(tmp_path):
    done(tmp_path)

    assert plan(tmp_path, retry_failed=False).will == "nothing"


def test_a_touched_source_is_no_grown_one(tmp_path):
    done(tmp_path)
    os.utime(tmp_path / "in.jsonl", (1, 1))

    assert plan(tmp_path, retry_failed=False).will == "nothing"


def test_a_job_whose_source_has_grown_resumes(tmp_path):
    done(tmp_path)
    with open(tmp_path / "in.jsonl", "a") as file:
        file.write('{"id": 100}\n')

    assert "the source has grown" in plan(tmp_path, retry_failed=False).why


CHANGES = [lambda folder: (folder / "out.jsonl").unlink(), lambda folder: write(folder, {"id": 7})]


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_taken_up_by_key(tmp_path, change):
    done(tmp_path)
    change(tmp_path)

    assert plan(tmp_path).will == "rebuild"


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_refused_without_a_key(tmp_path, change):
    done(tmp_path, key=None)
    change(tmp_path)

    refused = plan(tmp_path, key=None)

    assert refused.will == "refuse"
    assert "set a key" in refused.error.hint


def test_settings_that_matter_are_compared(tmp_path):
    done(tmp_path)

    refused = plan(tmp_path, version="2")

    assert refused.will == "refuse"
    assert "version: was None, is '2'" in refused.why


def test_a_missing_source_is_a_refusal(tmp_path):
    done(tmp_path)
    (tmp_path / "in.jsonl").unlink()

    assert "does not exist" in plan(tmp_path).why
    assert plan(tmp_path).will == "refuse"
