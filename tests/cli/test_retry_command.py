"""`batchmill retry` calls the failed records again, and `rerun` those that are named."""

from __future__ import annotations

import json

import pytest

from small_jobs import some_records, write

MENDED = "def process_record(record):\n    return {'id': record['id'], 'mended': True}\n"


@pytest.fixture
def failed(batchmill, project):
    """A job with ten failed records and twenty that were never called, and a better task."""
    batchmill("run", "job.toml")
    records = some_records()
    write(project, *records, *({"id": 100 + n} for n in range(20)))
    (project / "task.py").write_text(MENDED)
    return batchmill


def rows(project):
    return [json.loads(line) for line in (project / "out.jsonl").read_text().splitlines()]


def test_only_failed_records_are_tried_again(failed, project):
    ended = failed("retry", "job.toml")

    assert "  this run      0 newly settled; calls 10" in ended.out
    assert 10 == sum("mended" in row for row in rows(project))
    assert (project / "out.errors.jsonl").read_text() == ""
    assert failed("verify", "job.toml").code == 0


def test_a_retry_may_be_limited(failed, project):
    failed("retry", "job.toml", "--limit", 3, "--json")

    assert 3 == sum("mended" in row for row in rows(project))


def test_records_are_run_again_by_key_and_their_results_replaced(failed, project):
    (project / "keys.txt").write_text("4\n\n  1  \n")

    ended = failed("rerun", "job.toml", "--key", 0, "--keys-file", "keys.txt", "--json")

    assert json.loads(ended.out)["called"] == 3
    assert [0, 1, 4] == sorted(row["id"] for row in rows(project) if "mended" in row)
    assert 1 == sum(row["id"] == 4 for row in rows(project))
    assert failed("verify", "job.toml").code == 0


def test_failed_and_pending_records_are_left_out_and_named(failed, project):
    ended = failed("rerun", "job.toml", "--key", 0, "--key", 2, "--key", 100)

    assert "note: '2' failed, and so `batchmill retry` calls it again" in ended.err
    assert "note: '100' is pending, and so `batchmill run` calls it" in ended.err
    assert [0] == [row["id"] for row in rows(project) if "mended" in row]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is no key"),
        (["--key", "nobody"], "no record whose 'id' is 'nobody'"),
        (["--key", "2"], "the records '2' have failed"),
        (["--key", "100"], "the records '100' have not been called yet"),
        (["--keys-file", "away.txt"], "away.txt"),
    ],
)
def test_keys_that_cannot_be_run_again_are_told_and_nothing_is_done(failed, project, words, said):
    before = (project / "out.jsonl").read_bytes()

    ended = failed("rerun", "job.toml", *words)

    assert ended.code == 2
    assert said in ended.err.splitlines()[0]
    assert before == (project / "out.jsonl").read_bytes()


def test_a_job_without_a_key_has_no_names_for_records(batchmill, project):
    (project / "job.toml").write_text((project / "job.toml").read_text().replace('key = "id"', ""))
    batchmill("run", "job.toml")

    ended = batchmill("rerun", "job.toml", "--key", 1)

    assert ended.code == 2
    assert "the job has no key" in ended.err


def test_the_key_of_a_job_without_a_file_is_that_of_its_earlier_runs(batchmill, project):
    files = ["task.py", "--input", "in.jsonl", "--output", "new.jsonl"]
    batchmill("run", *files, "--key", "id")

    assert json.loads(batchmill("rerun", *files, "--key", 1, "--json").out)["called"] == 1


def test_a_changed_input_has_to_be_taken_up_first(failed, project):
    write(project, *reversed(some_records()))

    ended = failed("rerun", "job.toml", "--key", 1)

    assert ended.code == 2
    assert "hint: batchmill run takes that up" in ended.err


@pytest.mark.parametrize("words", [["retry", "job.toml"], ["rerun", "job.toml", "--key", "1"]])
def test_a_job_that_has_not_run_has_nothing_to_repeat(batchmill, project, words):
    ended = batchmill(*words)

    assert ended.code == 2
    assert "the job has not run yet" in ended.err
    assert not (project / "out.ledger").exists()


def test_filtered_records_are_run_again_and_no_key_is_needed(batchmill, project):
    text = (project / "job.toml").read_text()
    (project / "job.toml").write_text(text.replace('key = "id"\n', ""))
    batchmill("run", "job.toml")
    (project / "task.py").write_text("def process_record(record):\n    return record\n")

    ended = batchmill("rerun", "job.toml", "--filtered", "--json")

    assert ended.code in (0, 3)
    assert json.loads(ended.out)["called"] == 10
    assert json.loads(ended.out)["filtered"] == 0
    assert batchmill("rerun", "job.toml", "--filtered").code == 2
    assert batchmill("rerun", "job.toml", "--filtered", "--key", "1").code == 2
