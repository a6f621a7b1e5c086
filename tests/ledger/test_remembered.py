"""When progress is found again by key, records that have no result are known, too."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from batchmill import run
from batchmill.errors import Changed
from batchmill.ledger.ledger import SqliteLedger
from batchmill.ledger.reading import read_ledger
from batchmill.ledger.rerun import mark_filtered
from batchmill.records import OutcomeCode
from small_jobs import job, source_of, write

RECORDS = 60


class Task:
    """Three kinds of records that leave no row, and one that does."""

    def __init__(self):
        self.called = []

    def result_of(self, record):
        kind = record["id"] % 4
        if kind == 1:
            raise ValueError("bad")
        return {0: {"id": record["id"]}, 2: None, 3: []}[kind]


class OneByOne(Task):
    def process_record(self, record):
        self.called.append(record["id"])
        return self.result_of(record)


class Waiting(Task):
    async def process_record(self, record):
        self.called.append(record["id"])
        return self.result_of(record)


class Together(Task):
    def process_batch(self, records):
        self.called += [record["id"] for record in records]
        return [self.of_batch(record) for record in records]

    def of_batch(self, record):
        try:
            return self.result_of(record)
        except ValueError as error:
            return error


MODULE = """
def process_record(record):
    with open({path!r}, "a") as file:
        file.write(f"{{record['id']}}\\n")
    if record["id"] % 4 == 1:
        raise ValueError("bad")
    return {{0: {{"id": record["id"]}}, 2: None, 3: []}}[record["id"] % 4]
"""


def lines(*ids):
    return "".join(json.dumps({"id": n}) + "\n" for n in ids)


def codes(folder, count):
    with read_ledger(folder / "out.ledger") as ledger:
        return [ledger.progress.code(seq) for seq in range(count)]


W, E, F, B = (OutcomeCode.WITH_ROWS, OutcomeCode.WITHOUT_ROWS, OutcomeCode.FILTERED,
              OutcomeCode.FAILED)  # fmt: skip


@pytest.mark.parametrize("order", ["input", "completion"])
@pytest.mark.parametrize("kind", [OneByOne, Waiting, Together])
def test_one_inserted_line_makes_one_call(tmp_path, kind, order):
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(RECORDS)))
    run(job(tmp_path, task=kind(), order=order))
    source.write_text(lines(1000, *range(RECORDS)))
    again = kind()

    report = run(job(tmp_path, task=again, order=order, retry_failed=False))

    assert again.called == [1000]
    assert (report.succeeded, report.filtered, report.failed) == (31, 15, 15)
    assert codes(tmp_path, RECORDS + 1) == [W, *[W, B, F, E] * 15]


def test_they_are_known_from_worker_processes_too(tmp_path):
    path = tmp_path / "called"
    (tmp_path / "task.py").write_text(MODULE.format(path=str(path)))
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(RECORDS)))
    fields = {"task": str(tmp_path / "task.py"), "engine": "process", "workers": 1}
    run(job(tmp_path, **fields))
    path.unlink()
    source.write_text(lines(1000, *range(RECORDS)))

    run(job(tmp_path, **fields, retry_failed=False))

    assert path.read_text().split() == ["1000"]


def test_a_failed_record_that_was_mended_is_called(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(8)))
    run(job(tmp_path, task=OneByOne()))
    source.write_text(lines(0) + '{"id": 1, "mended": true}\n' + lines(*range(2, 8)))
    again = OneByOne()

    run(job(tmp_path, task=again, retry_failed=False))

    assert again.called == [1]


def test_a_failed_record_waits_for_its_retry_under_its_new_number(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(8)))
    run(job(tmp_path, task=OneByOne()))
    source.write_text(lines(100, 101, *range(8)))

    run(job(tmp_path, task=lambda record: record, retry_failed=False))

    with read_ledger(tmp_path / "out.ledger") as ledger:
        assert [(letter.seq, letter.key) for letter in ledger.letters()] == [(3, 1), (7, 5)]
        assert ledger.problems() == []
    assert run(job(tmp_path, task=lambda record: record)).called == 2


def test_the_last_outcome_of_a_record_is_what_is_known(tmp_path):
    """Filtered at first and run again with a result: the result counts, and not what was."""
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(8)))
    run(job(tmp_path, task=lambda record: None))
    (tmp_path / "out.jsonl").write_text(lines(2))
    source.write_text(lines(*range(8), 50))
    again = OneByOne()

    report = run(job(tmp_path, task=again), adopt=True)

    assert again.called == [50]
    assert (report.succeeded, report.filtered) == (1, 8)


def test_a_key_that_is_a_number_is_found_again_beside_cells_of_text(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(8)))
    run(job(tmp_path, sink=tmp_path / "out.csv", task=OneByOne()))
    source.write_text(lines(1000, *range(8)))
    again = OneByOne()

    run(job(tmp_path, sink=tmp_path / "out.csv", task=again, retry_failed=False))

    assert again.called == [1000]


def test_a_record_without_rows_that_waits_to_be_run_again_still_does(tmp_path):
    """Marked while it was filtered, under its old number."""
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(8)))
    run(job(tmp_path, task=OneByOne()))
    with closing(SqliteLedger(tmp_path / "out.ledger", "out")) as ledger:
        assert mark_filtered(ledger, source_of(tmp_path)) == 2
    source.write_text(lines(1000, *range(8)))

    report = run(job(tmp_path, task=lambda record: record, retry_failed=False))

    assert (report.called, report.succeeded, report.filtered) == (3, 7, 0)


@pytest.mark.parametrize(("ours", "theirs"), [("05", 5), (5, "5"), ("Al@x", "al@x"), ("a ", "a")])
def test_results_whose_key_is_spelt_otherwise_are_refused_and_not_doubled(tmp_path, ours, theirs):
    write(tmp_path, {"id": ours}, {"id": "other"})
    run(job(tmp_path, task=lambda record: record | {"id": theirs}, limit=1))
    before = (tmp_path / "out.jsonl").read_bytes()
    write(tmp_path, {"id": "new"}, {"id": ours}, {"id": "other"})

    for _ in range(2):
        with pytest.raises(Changed, match="stand there twice"):
            run(job(tmp_path))

    assert before == (tmp_path / "out.jsonl").read_bytes()
    assert not (tmp_path / "out.jsonl.bak-1").exists()


def test_keys_that_are_alike_and_those_of_two_records_are_told_apart(tmp_path):
    write(tmp_path, {"id": 5}, {"id": "05"}, {"id": "5"})
    run(job(tmp_path, limit=1))
    write(tmp_path, {"id": "05"}, {"id": "5"}, {"id": 5})

    report = run(job(tmp_path))

    assert (report.called, report.succeeded) == (2, 3)


def test_a_record_of_an_old_block_may_be_settled_anew_right_after_a_rebuild(tmp_path):
    count = 20_000
    source = tmp_path / "in.jsonl"
    source.write_text(lines(*range(count)))

    def fails_once(record):
        if record["id"] == 5:
            raise ValueError("not yet")
        return record

    run(job(tmp_path, task=fails_once))
    source.write_text(lines(*range(1, count)))

    report = run(job(tmp_path, task=lambda record: record))

    assert (report.state, report.called, report.failed) == ("completed", 1, 0)
    with read_ledger(tmp_path / "out.ledger") as ledger:
        assert ledger.tally()[W] == count - 1
