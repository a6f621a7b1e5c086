"""`batchmill status` tells how far a job is and what comes next, from the job or its output."""

from __future__ import annotations

import json

import pytest


def facts(ended) -> dict[str, str]:
    lines = [line.strip().split("  ", 1) for line in ended.out.splitlines()[1:]]
    return {label: value.strip() for label, value in lines}


def test_a_job_that_has_not_run_yet(batchmill):
    ended = batchmill("status", "job.toml")

    assert ended.code == 0
    assert facts(ended)["settled"] == "nothing: it has not run yet"
    assert facts(ended)["next run"] == "starts afresh: there is no earlier run"


def test_a_job_in_the_middle(batchmill):
    batchmill("run", "job.toml", "--limit", 20)

    shown = facts(batchmill("status", "job.toml"))

    assert shown["settled"] == "20 of 50 read"
    assert shown["pending"] == "30, and whatever was not read yet"
    assert shown["running"] == "no"
    assert shown["next run"].startswith("resumes: 30 read and pending, ")
    assert "4 failed to be tried again" in shown["next run"]
    assert shown["last run"].endswith("incomplete: the limit is reached")


def test_a_job_whose_next_run_is_refused_says_why(batchmill, project):
    batchmill("run", "job.toml")
    (project / "out.jsonl").unlink()
    job = (project / "job.toml").read_text()
    (project / "job.toml").write_text(job.replace('key = "id"\n', ""))

    shown = facts(batchmill("status", "job.toml"))

    assert shown["next run"].startswith("is refused: settings that matter have changed")
    assert "--restart" in shown["hint"]


@pytest.mark.parametrize("target", ["out.jsonl", "out.ledger", "./out.jsonl"])
def test_a_job_is_found_by_what_it_has_left_behind(batchmill, target):
    batchmill("run", "job.toml")

    ended = batchmill("status", target, "--json")

    status = json.loads(ended.out)
    assert ("small", 30, 10) == (status["name"], status["succeeded"], status["failed"])
    assert status["next_run"]["will"] == "unknown"
    assert status["output"].endswith("out.jsonl")


def test_a_job_without_a_file_is_found_with_the_same_options(batchmill):
    run = batchmill("run", "task.py", "--input", "in.jsonl", "--output", "new.jsonl")
    assert run.code == 3, run.err

    ended = batchmill("status", "task.py", "--input", "in.jsonl", "--output", "new.jsonl")

    assert facts(ended)["settled"] == "50 of 50 read"


def test_what_is_no_job_is_told(batchmill, project):
    (project / "notes.txt").write_text("hello")

    ended = batchmill("status", "notes.txt")

    assert ended.code == 2
    assert "notes.txt is no job" in ended.err


def test_asking_changes_nothing(batchmill, project):
    batchmill("run", "job.toml", "--limit", 20)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in project.glob("out*")}

    for command in ("status", "failures", "verify", "report"):
        batchmill(command, "job.toml")

    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in project.glob("out*")}
