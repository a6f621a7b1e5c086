"""A link as the output is followed and kept; a link in place of a file of ours is not followed."""

from __future__ import annotations

import gzip
import os

import pytest

from batchmill import run
from batchmill.errors import AlreadyRunning, LedgerError
from batchmill.files.lock import job_lock
from batchmill.ledger.verify import verify
from batchmill.paths import JobPaths
from commands import start
from small_jobs import KEY_OF, job, source_of, write

RECORDS = [{"id": n} for n in range(6)]


@pytest.fixture
def linked(tmp_path):
    """A folder whose out.jsonl leads to big/results.jsonl, which is not there yet."""
    (tmp_path / "big").mkdir()
    (tmp_path / "out.jsonl").symlink_to("big/results.jsonl")
    write(tmp_path, *RECORDS)
    return tmp_path


def lines(path):
    return sorted(path.read_text().splitlines())


def is_kept(folder):
    return os.readlink(folder / "out.jsonl") == "big/results.jsonl"


def differing(folder):
    paths = JobPaths.of(folder / "out.jsonl").on_disk()
    found = verify(paths, source=source_of(folder), key="id", key_of=KEY_OF)
    return [finding for finding in found if finding.verdict == "differs"]


def test_results_ledger_and_lock_are_with_the_file_that_the_link_leads_to(linked):
    report = run(job(linked))

    assert is_kept(linked)
    assert {"results.jsonl", "results.ledger", "results.ledger.lock"} == {
        path.name for path in (linked / "big").iterdir()
    }
    assert {"in.jsonl", "out.jsonl", "out.errors.jsonl", "big"} == {
        path.name for path in linked.iterdir()
    }
    assert str(linked / "big" / "results.jsonl") == report.output


def test_a_job_is_the_same_by_whatever_link_it_is_reached(linked):
    (linked / "other.jsonl").symlink_to(linked / "out.jsonl")

    for name in ("out.jsonl", "other.jsonl", "big/results.jsonl"):
        run(job(linked, sink=linked / name, limit=2))

    assert len(lines(linked / "big" / "results.jsonl")) == len(RECORDS)
    assert differing(linked) == []


def test_a_run_is_kept_out_by_one_that_came_by_another_link(linked):
    with job_lock(linked / "big" / "results.ledger.lock"), pytest.raises(AlreadyRunning):
        run(job(linked))


def edited(folder):
    path = folder / "out.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]) + '{"id": 5, "torn')


def test_a_rebuild_keeps_the_link_and_mends_what_it_leads_to(linked):
    run(job(linked))
    edited(linked)

    run(job(linked))

    assert is_kept(linked)
    assert len(lines(linked / "big" / "results.jsonl")) == len(RECORDS)
    assert (linked / "big" / "results.jsonl.bak-1").exists()
    assert differing(linked) == []


def test_a_restart_keeps_the_link_and_puts_aside_what_it_leads_to(linked):
    run(job(linked))
    before = lines(linked / "out.jsonl")

    run(job(linked), restart=True)

    assert is_kept(linked)
    assert before == lines(linked / "big" / "results.jsonl.bak-1")
    assert before == lines(linked / "big" / "results.jsonl")


def test_a_rerun_keeps_the_link_and_replaces_the_line_in_what_it_leads_to(linked):
    (linked / "task.py").write_text("def process_record(record): return record\n")
    names = ("--input", "in.jsonl", "--output", "out.jsonl")
    assert start("run", "task.py", *names, "--key", "id", cwd=linked).wait(60) == 0

    assert start("rerun", "task.py", "--key", "3", *names, cwd=linked).wait(60) == 0

    assert is_kept(linked)
    assert len(lines(linked / "big" / "results.jsonl")) == len(RECORDS)
    assert '{"id":3}' == (linked / "big" / "results.jsonl").read_text().splitlines()[-1]


@pytest.mark.parametrize("to", ["data", "data.jsonl"])
def test_a_compressed_output_stays_compressed_whatever_its_link_leads_to(tmp_path, to):
    write(tmp_path, *RECORDS)
    (tmp_path / "out.jsonl.gz").symlink_to(to)
    made = job(tmp_path, sink=tmp_path / "out.jsonl.gz", rerun_key="again", task=lambda r: r)
    run(made)
    broken = (tmp_path / to).read_bytes()
    (tmp_path / to).write_bytes(gzip.compress(gzip.decompress(broken) + b"no JSON\n"))

    run(made)

    assert len(RECORDS) == len(gzip.decompress((tmp_path / to).read_bytes()).splitlines())


def test_a_ledger_that_an_earlier_version_left_beside_the_link_is_found(linked):
    """Made by the file's own name, and moved to where that version would have had it."""
    run(job(linked, sink=linked / "big" / "out.jsonl", limit=2))
    (linked / "big" / "out.jsonl").rename(linked / "big" / "results.jsonl")
    (linked / "big" / "out.ledger").rename(linked / "out.ledger")

    report = run(job(linked))

    assert (2, 6) == (report.already_settled, report.succeeded)
    assert len(lines(linked / "out.jsonl")) == len(RECORDS)
    assert not (linked / "big" / "results.ledger").exists()


@pytest.mark.parametrize("target", ["precious", "nothing"])
def test_a_ledger_that_is_a_link_is_refused_and_nothing_is_made_where_it_leads(tmp_path, target):
    write(tmp_path, *RECORDS)
    (tmp_path / "precious").write_text("")
    (tmp_path / "out.ledger").symlink_to(tmp_path / target)

    with pytest.raises(LedgerError, match="is a link"):
        run(job(tmp_path))

    assert (tmp_path / "precious").read_bytes() == b""
    assert not (tmp_path / "nothing").exists()


def test_what_a_link_in_place_of_a_file_of_ours_leads_to_is_never_written(tmp_path):
    """Planted where all may write: as lock, errors file and the copy that a rewrite makes."""
    write(tmp_path, *RECORDS, {"id": 7, "kind": "bad"})
    (tmp_path / "precious").write_text("my data\n")
    for name in ("out.ledger.lock", "out.errors.jsonl", ".out.jsonl.rewrite",
                 ".out.ledger.restart"):  # fmt: skip
        (tmp_path / name).symlink_to(tmp_path / "precious")

    report = run(job(tmp_path))

    assert (6, 1) == (report.succeeded, report.failed)
    assert (tmp_path / "precious").read_text() == "my data\n"
    assert len(lines(tmp_path / "out.errors.jsonl")) == 1


def put_in_place_of(path, what):
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.with_name("precious"))


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_an_errors_file_that_is_none_any_more_ends_the_run_and_hangs_no_commit(tmp_path, what):
    write(tmp_path, *[{"id": n} for n in range(40)])
    (tmp_path / "precious").write_text("my data\n")

    def task(record):
        if record["id"] == 3:
            put_in_place_of(tmp_path / "out.errors.jsonl", what)
        raise ValueError("bad")

    report = run(job(tmp_path, task=task, concurrency=1, commit_every_s=0))

    assert report.state == "aborted"
    assert "out.errors.jsonl cannot be written" in report.reason
    assert (tmp_path / "precious").read_text() == "my data\n"
    if what == "folder":
        (tmp_path / "out.errors.jsonl").rmdir()
    else:
        (tmp_path / "out.errors.jsonl").unlink(missing_ok=True)
    assert run(job(tmp_path)).succeeded == 40
