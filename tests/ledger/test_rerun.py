"""Records are marked to be run again by their keys: all of them, or none."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from batchmill import run
from batchmill.errors import ConfigError
from batchmill.ledger.ledger import SqliteLedger
from batchmill.ledger.reading import read_ledger
from batchmill.ledger.rerun import mark_filtered, mark_reruns
from batchmill.ledger.verify import verify
from batchmill.paths import JobPaths
from batchmill.records import OutcomeCode
from small_jobs import KEY_OF, done, job, source_of, write


@contextmanager
def opened(paths: JobPaths):
    ledger = SqliteLedger(paths.ledger, "job")
    try:
        yield ledger
    finally:
        ledger.close()


def mark(folder, *wanted):
    paths = JobPaths.of(folder / "out.jsonl")
    with opened(paths) as ledger:
        return mark_reruns(ledger, source_of(folder), paths.output, key="id", wanted=wanted,
                           key_of=KEY_OF)  # fmt: skip


def marks(folder):
    with read_ledger(folder / "out.ledger") as ledger:
        return list(ledger.rerun_seqs())


def rows(folder):
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def again(record):
    return {"id": record["id"], "again": True}


def differences(folder):
    found = verify(JobPaths.of(folder / "out.jsonl"), source=source_of(folder), key="id",
                   key_of=KEY_OF)  # fmt: skip
    return [finding for finding in found if finding.verdict == "differs"]


def test_old_results_are_replaced_whatever_they_were(tmp_path):
    done(tmp_path)

    marked = mark(tmp_path, "0", "3", "4")
    run(replace(job(tmp_path, retry_failed=False), task=again), only="reruns")

    assert (3, 0, 0) == (marked.queued, marked.failed, marked.pending)
    new = [row for row in rows(tmp_path) if row["id"] in (0, 3, 4)]
    assert [{"id": n, "again": True} for n in (0, 3, 4)] == sorted(new, key=lambda r: r["id"])
    with read_ledger(tmp_path / "out.ledger") as ledger:
        assert (31, 9, 10) == (
            ledger.counts.succeeded, ledger.counts.filtered, ledger.counts.failed)  # fmt: skip
    assert differences(tmp_path) == []


def broken(record):
    raise ValueError("still bad")


def test_the_old_result_stays_if_the_record_fails_now(tmp_path):
    done(tmp_path)
    before = rows(tmp_path)

    mark(tmp_path, "0")
    report = run(replace(job(tmp_path, retry_failed=False), task=broken), only="reruns")

    assert before == rows(tmp_path)
    assert report.exit_code == 3
    assert marks(tmp_path) == [0]
    assert differences(tmp_path) == []


def test_failed_and_pending_records_are_left_to_other_commands(tmp_path):
    done(tmp_path)
    with open(tmp_path / "in.jsonl", "a") as file:
        file.write('{"id": "new"}\n')

    marked = mark(tmp_path, "1", "2", "new")

    assert (1, ("2",), ("new",)) == (marked.queued, marked.failed_keys, marked.pending_keys)
    assert marks(tmp_path) == [1]


def test_an_unknown_key_is_told_and_nothing_is_marked(tmp_path):
    done(tmp_path)

    with pytest.raises(ConfigError, match="no record whose 'id' is '777', 'x'"):
        mark(tmp_path, "1", "777", "x")

    assert marks(tmp_path) == []


def test_a_key_of_several_records_is_refused(tmp_path):
    write(tmp_path, {"id": 1}, {"id": 2}, {"id": 1})
    run(job(tmp_path))

    with pytest.raises(ConfigError, match="'1' names 2 records"):
        mark(tmp_path, "1", "2")

    assert marks(tmp_path) == []


def test_a_number_and_a_text_that_look_alike_are_two_keys(tmp_path):
    write(tmp_path, {"id": 1}, {"id": "1"}, {"id": 2})
    run(job(tmp_path))

    assert mark(tmp_path, "1").queued == 2


def without_key(record):
    return {"other": record["id"]}


def test_results_that_do_not_carry_the_key_are_refused(tmp_path):
    write(tmp_path, {"id": 1}, {"id": 2})
    run(job(tmp_path, task=without_key))

    with pytest.raises(ConfigError, match=r"line 1 of .* has no 'id'"):
        mark(tmp_path, "1")

    assert marks(tmp_path) == []


def test_two_records_of_one_key_that_are_marked_in_the_output_lose_no_result(tmp_path):
    """Their new results may stand in different commits, and neither is the other's old one."""
    write(tmp_path, {"id": 1}, {"id": 1}, {"id": 2})
    run(job(tmp_path, rerun_key="redo"))
    old = (tmp_path / "out.jsonl").read_text().splitlines()
    edited = [json.dumps(json.loads(line) | {"redo": json.loads(line)["id"] == 1}) for line in old]
    (tmp_path / "out.jsonl").write_text("".join(f"{line}\n" for line in edited))

    one_by_one = {"concurrency": 1, "rate": "1000/s", "commit_every_s": 0}
    run(job(tmp_path, task=again, rerun_key="redo", **one_by_one))

    assert [1, 1, 2] == sorted(row["id"] for row in rows(tmp_path))
    assert sum(row.get("again", False) for row in rows(tmp_path)) == 2
    assert differences(tmp_path) == []


def test_a_result_of_another_record_that_came_after_the_marking_is_kept(tmp_path):
    """What may be removed is what stood there when the rerun was marked."""
    write(tmp_path, {"id": "a", "v": 0}, {"id": "b", "v": 0})
    run(job(tmp_path, task=lambda record: record))
    mark(tmp_path, "a")
    run(replace(job(tmp_path, retry_failed=False), task=broken), only="reruns")
    with open(tmp_path / "in.jsonl", "a") as file:
        file.write('{"id": "a", "v": 1}\n')

    run(job(tmp_path, task=lambda record: record, concurrency=1, order="completion"))

    assert sorted(row["v"] for row in rows(tmp_path) if row["id"] == "a") == [0, 1]
    assert differences(tmp_path) == []


def test_old_results_are_found_after_others_have_been_taken_out_before_them(tmp_path):
    done(tmp_path)
    mark(tmp_path, "0", "6")

    def only_the_first(record):
        if record["id"] == 6:
            raise ValueError("not now")
        return again(record)

    run(replace(job(tmp_path, retry_failed=False), task=only_the_first), only="reruns")
    run(replace(job(tmp_path, retry_failed=False), task=again), only="reruns")

    new = [row for row in rows(tmp_path) if row["id"] in (0, 6)]
    assert sorted(row["id"] for row in new) == [0, 6]
    assert all(row["again"] for row in new)
    assert differences(tmp_path) == []


def by_id(record):
    return {"a": [], "b": None}.get(record["id"], record)


def test_what_a_record_without_rows_was_is_known_and_not_guessed(tmp_path):
    write(tmp_path, {"id": "a"}, {"id": "b"}, {"id": "c"})
    run(job(tmp_path, task=by_id))

    for wanted in ("a", "b"):
        mark(tmp_path, wanted)
        run(replace(job(tmp_path, retry_failed=False), task=by_id), only="reruns")

    with read_ledger(tmp_path / "out.ledger") as ledger:
        assert (2, 1) == (ledger.counts.succeeded, ledger.counts.filtered)
        assert [ledger.progress.code(seq) for seq in range(3)] == [
            OutcomeCode.WITHOUT_ROWS, OutcomeCode.FILTERED, OutcomeCode.WITH_ROWS]  # fmt: skip
    assert differences(tmp_path) == []


def test_a_result_whose_key_is_spelt_otherwise_is_refused_and_not_doubled(tmp_path):
    write(tmp_path, {"id": "A1"}, {"id": "B2"})
    run(job(tmp_path, task=lambda record: {"id": record["id"].lower()}))
    before = rows(tmp_path)

    with pytest.raises(ConfigError, match=r"results of 'A1' .* do not carry 'id' as the record"):
        mark(tmp_path, "A1")

    assert (marks(tmp_path), rows(tmp_path)) == ([], before)


def test_all_that_was_filtered_is_called_again(tmp_path):
    done(tmp_path)
    paths = JobPaths.of(tmp_path / "out.jsonl")

    with opened(paths) as ledger:
        marked = mark_filtered(ledger, source_of(tmp_path))
    report = run(replace(job(tmp_path, retry_failed=False), task=again), only="reruns")

    assert (marked, report.called, report.filtered) == (10, 10, 0)
    assert sum(row.get("again", False) for row in rows(tmp_path)) == 10
    assert differences(tmp_path) == []


def test_a_ledger_that_does_not_know_which_were_filtered_says_so(tmp_path):
    shutil.copytree(Path(__file__).parent / "formats/1/complete", tmp_path, dirs_exist_ok=True)

    with (
        opened(JobPaths.of(tmp_path / "out.jsonl")) as ledger,
        pytest.raises(ConfigError, match="earlier batchmill") as caught,
    ):
        mark_filtered(ledger, source_of(tmp_path))

    assert "--key" in caught.value.hint


BIG = 64 << 10
"""Bytes of a big record; there are 400, so 26 MB."""


def test_records_that_wait_to_be_run_again_are_never_in_memory_together(tmp_path):
    """Not when they are marked, nor when the first of them have been run, and rows taken out."""
    write(tmp_path, *({"id": n, "text": "x" * BIG} for n in range(400)))
    fields = {"task": again, "concurrency": 2}
    run(job(tmp_path, **fields))

    tracemalloc.start()
    try:
        marked = mark(tmp_path, *map(str, range(400)))
        report = run(job(tmp_path, **fields, limit=3), only="reruns")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (400, 3) == (marked.queued, report.called)
    assert len(marks(tmp_path)) == 397
    assert peak < 16 << 20
