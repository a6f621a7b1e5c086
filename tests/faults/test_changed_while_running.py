"""The output is the job's while it runs: what somebody else does to it ends the run, and the next
one goes on right or says why not."""

from __future__ import annotations

import os
import time

import pytest

from batchmill import run
from batchmill.errors import Changed
from batchmill.ledger.reading import read_ledger
from small_jobs import job, write

RECORDS = 60
CHANGED_AT = 30


def emptied(path):
    """As logrotate's copytruncate does."""
    os.truncate(path, 0)


def cut(path):
    os.truncate(path, 70)


def edited(path):
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


def edited_with_its_time_put_back(path):
    before = path.stat()
    edited(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def appended(path):
    with path.open("ab") as file:
        file.write(b'{"id": 77, "by": "another"}\n')


CHANGES = [emptied, cut, edited, edited_with_its_time_put_back, appended]


def changed_at(folder, at, change, **fields):
    """Run the job, in which the task has the output changed before it returns for this record."""

    def task(record):
        if record["id"] == at:
            while (folder / "out.jsonl").stat().st_size <= 70:
                time.sleep(0)  # the commits of a busy machine may be late
            change(folder / "out.jsonl")
        return {"id": record["id"], "pad": "-" * 20}

    write(folder, *[{"id": n} for n in range(RECORDS)])
    given = {"concurrency": 1, "commit_every_s": 0, "order": "input"}
    return job(folder, task=task, **given | fields)


def ids(folder):
    return [line.partition(b",")[0] for line in (folder / "out.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("at", [CHANGED_AT, RECORDS - 1])
@pytest.mark.parametrize("change", CHANGES)
def test_it_is_noticed_before_the_run_ends_and_mended_by_key(tmp_path, change, at):
    aborted = run(changed_at(tmp_path, at, change))

    assert ("aborted", 1) == (aborted.state, aborted.exit_code)
    assert "by somebody else while the job was running" in aborted.reason
    report = run(changed_at(tmp_path, None, change))
    assert ("completed", RECORDS) == (report.state, report.succeeded)
    foreign = change is appended
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == RECORDS + foreign


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_done_to_it_after_the_last_commit_is_noticed_too(tmp_path, change):
    class Task:
        def process_record(self, record):
            return {"id": record["id"], "pad": "-" * 20}

        def on_shutdown(self):
            change(tmp_path / "out.jsonl")

    write(tmp_path, *[{"id": n} for n in range(RECORDS)])

    aborted = run(job(tmp_path, task=Task()))

    assert ("aborted", RECORDS) == (aborted.state, aborted.succeeded)
    report = run(changed_at(tmp_path, None, change, order="completion"))
    assert ("completed", RECORDS) == (report.state, report.succeeded)
    assert len(set(ids(tmp_path)) - {b'{"id": 77'}) == RECORDS


@pytest.mark.parametrize("change", CHANGES)
def test_without_a_key_the_next_run_is_refused_and_touches_nothing(tmp_path, change):
    run(changed_at(tmp_path, CHANGED_AT, change, key=None))
    before = (tmp_path / "out.jsonl").read_bytes()

    for _ in range(2):
        with pytest.raises(Changed):
            run(changed_at(tmp_path, None, change, key=None))

    assert before == (tmp_path / "out.jsonl").read_bytes()


def test_a_run_that_is_ended_by_it_is_in_the_history_with_its_reason(tmp_path):
    run(changed_at(tmp_path, CHANGED_AT, emptied))

    with read_ledger(tmp_path / "out.ledger") as ledger:
        report = ledger.last_run().report
    assert "aborted" == report["state"]
    assert "was cut short" in report["reason"]


def test_a_job_whose_output_is_put_back_goes_on_without_a_key(tmp_path):
    kept = []

    def and_kept(path):
        kept.append(path.read_bytes())
        emptied(path)

    aborted = run(changed_at(tmp_path, CHANGED_AT, and_kept, key=None))
    (tmp_path / "out.jsonl").write_bytes(kept[0])

    report = run(changed_at(tmp_path, None, emptied, key=None))

    assert (aborted.succeeded, RECORDS) == (report.already_settled, report.succeeded)


def test_a_change_of_its_facts_alone_ends_no_run(tmp_path):
    def touched(path):
        path.chmod(0o640)
        os.utime(path)
        os.link(path, path.with_name("snapshot"))

    report = run(changed_at(tmp_path, CHANGED_AT, touched))

    assert ("completed", RECORDS) == (report.state, report.succeeded)


def test_a_damaged_output_is_not_rewritten_for_a_rerun_that_has_ended(tmp_path):
    """Taking out the old result would make what somebody else did to the file the job's own."""
    run(changed_at(tmp_path, None, edited, rerun_key="again"))
    path = tmp_path / "out.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"id":5,', b'{"again":1,"id":5,'))

    aborted = run(changed_at(tmp_path, 5, edited, rerun_key="again"))

    assert "aborted" == aborted.state
    report = run(changed_at(tmp_path, None, edited, rerun_key="again"))
    assert ("completed", RECORDS) == (report.state, report.succeeded)


def deleted(path):
    path.unlink()


def replaced(path):
    path.rename(path.with_name("aside"))
    path.write_bytes(path.with_name("aside").read_bytes())


@pytest.mark.parametrize("change", [deleted, replaced])
def test_a_ledger_that_is_taken_away_is_noticed_at_the_next_commit(tmp_path, change):
    def task(record):
        if record["id"] == CHANGED_AT:
            change(tmp_path / "out.ledger")
        return record

    write(tmp_path, *[{"id": n} for n in range(RECORDS)])
    aborted = run(job(tmp_path, task=task, concurrency=1, commit_every_s=0))

    assert ("aborted", 1) == (aborted.state, aborted.exit_code)
    assert "out.ledger was replaced or deleted while the job was running" in aborted.reason
    assert aborted.succeeded < RECORDS
    report = run(job(tmp_path, task=lambda record: record), adopt=True)
    assert ("completed", RECORDS) == (report.state, report.succeeded)
    assert len({*ids(tmp_path)}) == len(ids(tmp_path)) == RECORDS
