"""`batchmill run` runs a job, tells how it went, and ends with the code that says so."""

from __future__ import annotations

import json

import pytest

from small_jobs import write


def names(folder):
    return {path.name for path in folder.iterdir()} - {"__pycache__"}


def test_a_run_ends_with_a_table_on_standard_output_and_the_code_for_failures(batchmill):
    ended = batchmill("run", "job.toml")

    assert ended.code == 3
    lines = ended.out.splitlines()
    assert lines[0].startswith("small: completed after ")
    assert "  read          50" in lines
    assert "  succeeded     30" in lines
    assert "  filtered      10" in lines
    assert "  failed        10" in lines
    assert "  failures      ValueError 10" in lines


def test_the_log_begins_with_what_runs_and_ends_with_the_counts(batchmill):
    lines = batchmill("run", "job.toml").err.splitlines()

    assert "run 1 of small begins" in lines[0]
    assert "task.py" in lines[1]
    assert "in.jsonl to " in lines[2]
    assert "50 read = 30 succeeded + 10 filtered + 10 failed + 0 pending" in lines[-1]


def test_a_run_without_failures_ends_with_zero(batchmill, project):
    write(project, {"id": 1}, {"id": 2})

    assert batchmill("run", "job.toml").code == 0


def test_a_job_needs_no_file(batchmill, project):
    ended = batchmill(
        *("run", "task.py", "--input", "in.jsonl", "--output", "new.jsonl"),
        *("--errors", "bad.jsonl", "--order", "input", "--engine", "thread", "-j", "3"),
        *("--max-attempts", "1", "--timeout", "5", "--rate", "100000/s"),
    )

    assert ended.code == 3
    assert {"new.jsonl", "bad.jsonl", "new.ledger"} <= names(project)


def test_a_limit_leaves_the_job_incomplete_and_the_next_run_goes_on(batchmill, project):
    assert batchmill("run", "job.toml", "--limit", 20, "--no-retry-failed").code == 4
    assert batchmill("run", "job.toml", "--limit", 20, "--no-retry-failed").code == 4

    ended = batchmill("run", "job.toml", "--resume", "--no-retry-failed")

    assert ended.code == 3
    assert "  before        40 were settled" in ended.out.splitlines()
    rows = [json.loads(line) for line in (project / "out.jsonl").read_text().splitlines()]
    assert len(rows) == 20 + 3 * 10


def test_the_report_is_all_there_is_on_standard_output_with_json(batchmill, project):
    (project / "task.py").write_text("def process_record(record):\n    print('noise')\n")

    ended = batchmill("run", "job.toml", "--json")

    report = json.loads(ended.out)
    assert (50, 50, "completed") == (report["read"], report["filtered"], report["state"])
    assert "noise" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "nothing.toml"], "nothing.toml does not exist"),
        (["run"], "Missing argument"),
        (["run", "job.toml", "--nonsense"], "--nonsense"),
        (["run", "job.toml", "--concurrency", "many"], "'many' is not a valid integer"),
        (["run", "job.toml", "--concurrency", "0"], "concurrency = 0"),
        (["run", "job.toml", "--rate", "fast"], "'fast' is not a rate"),
        (["run", "job.toml", "--input", "away.jsonl"], "away.jsonl does not exist"),
        (["run", "job.toml", "--restart", "--resume"], "contradict"),
        (["run", "job.toml", "--engine", "magic"], "magic"),
        (["run", "job.toml", "--log-file", "in.jsonl"], "is a file of the job, too"),
        (["run", "job.toml", "--log-file", "away/run.log"], "cannot be written"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_mistake_is_a_sentence_with_a_hint_and_changes_nothing(batchmill, project, words, said):
    before = names(project)

    ended = batchmill(*words)

    assert ended.code == 2
    assert ended.out == ""
    lines = [line for line in ended.err.splitlines() if not line.startswith("20")]
    assert lines[0].startswith("error: ")
    assert said in lines[0]
    assert lines[-1].startswith("hint: ")
    assert "Traceback" not in ended.err
    assert before == names(project)


def test_an_error_is_shown_in_full_when_debugging(batchmill, project):
    (project / "task.py").write_text("nonsense\n")

    assert "Traceback" not in batchmill("run", "job.toml").err
    assert "NameError" in batchmill("run", "job.toml", "--log-level", "debug").err


def test_a_mistake_of_ours_is_told_as_one_with_its_traceback(batchmill, monkeypatch):
    monkeypatch.setattr("batchmill.cli.status.find_job", lambda *_: 1 / 0)

    ended = batchmill("status", "job.toml")

    assert ended.code == 1
    assert "Traceback" in ended.err
    assert "error: internal error: ZeroDivisionError" in ended.err


def test_an_aborted_run_says_why_and_what_to_do(batchmill):
    ended = batchmill("run", "job.toml", "--max-failures", 2, "-j", 1)

    assert ended.code == 1
    assert "error: 3 records failed, which is more than max_failures allows" in ended.err
    assert "hint: " in ended.err
    assert ended.out.startswith("small: aborted after ")


def test_settings_that_changed_are_refused_until_they_are_accepted(batchmill, project):
    batchmill("run", "job.toml")
    job = (project / "job.toml").read_text()
    (project / "job.toml").write_text(job.replace('key = "id"', 'key = "id"\nversion = "2"'))

    refused = batchmill("run", "job.toml")
    assert refused.code == 2
    assert "version: was None, is '2'" in refused.err

    assert batchmill("run", "job.toml", "--accept-changes").code == 3


def test_a_restart_keeps_the_old_output(batchmill, project):
    batchmill("run", "job.toml")

    ended = batchmill("run", "job.toml", "--restart")

    assert ended.code == 3
    assert "out.jsonl.bak-1" in names(project)
    assert "kept " in ended.err


def test_a_log_file_holds_what_happened_as_json_lines(batchmill, project):
    batchmill("run", "job.toml", "--log-file", "run.log", "--log-format", "json")

    lines = [json.loads(line) for line in (project / "run.log").read_text().splitlines()]
    assert {"batchmill.run"} == {line["logger"] for line in lines}
    assert lines[-1]["succeeded"] == 30


def test_a_quiet_run_says_nothing_but_its_report(batchmill):
    ended = batchmill("run", "job.toml", "--progress", "none", "--log-level", "error")

    assert ended.err == ""
    assert ended.out.startswith("small: completed")
