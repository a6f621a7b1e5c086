"""`batchmill failures` lists what failed, for people and for programs."""

from __future__ import annotations

import json

import pytest

from small_jobs import write


@pytest.fixture
def failed(batchmill):
    assert batchmill("run", "job.toml").code == 3
    return batchmill


def test_a_failure_is_shown_with_its_record(failed):
    lines = failed("failures", "job.toml").out.splitlines()

    assert len(lines) == 3 * 10
    assert lines[0].startswith("seq 2  key 2  attempts 1  20")
    assert lines[1:3] == ["  ValueError: record 2 is bad", '  {"id": 2, "kind": "bad"}']


def test_a_limit_says_what_it_leaves_out(failed):
    ended = failed("failures", "out.jsonl", "--limit", 3)

    assert len(ended.out.splitlines()) == 3 * 3
    assert "3 of 10 failures" in ended.err


def test_json_holds_everything_one_line_each(failed, project):
    ended = failed("failures", "job.toml", "--json")

    assert ended.out == (project / "out.errors.jsonl").read_text()
    assert json.loads(ended.out.splitlines()[0])["error"]["message"] == "record 2 is bad"


def test_messages_that_differ_in_numbers_only_are_grouped(failed):
    by_message = failed("failures", "job.toml", "--group-by", "message")
    by_type = failed("failures", "job.toml", "--group-by", "type", "--json")

    assert by_message.out == "      10  ValueError: record 2 is bad  (seq 2, …)\n"
    assert json.loads(by_type.out) == {"type": "ValueError", "count": 10, "first_seq": 2}


def test_no_failures_are_no_error(batchmill, project):
    write(project, {"id": 1})
    batchmill("run", "job.toml")

    ended = batchmill("failures", "job.toml")

    assert (0, "") == (ended.code, ended.out)
    assert "there are no failures" in ended.err


def test_a_job_that_has_not_run_is_told(batchmill):
    ended = batchmill("failures", "job.toml")

    assert ended.code == 2
    assert "hint: the job has not run yet" in ended.err


def test_messages_and_records_cannot_steer_the_terminal(batchmill, project):
    (project / "task.py").write_text("def process_record(r):\n    raise ValueError('\\x1b[2J')\n")
    (project / "in.jsonl").write_bytes(b'{"id": "\xc2\x9bx"}\n\x1b[2J\n\xff\xfe\n')
    batchmill("run", "job.toml")

    ended = batchmill("failures", "job.toml")

    assert len(ended.out.splitlines()) == 9
    assert "\x1b" not in ended.out
    assert "\x9b" not in ended.out
