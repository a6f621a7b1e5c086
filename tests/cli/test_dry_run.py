"""`--dry-run` checks everything, says what a run would do, and writes nothing."""

from __future__ import annotations

import json

import pytest

from small_jobs import write

TYPED = """
from dataclasses import dataclass

@dataclass
class Place:
    lat: float

def process_record(record: Place):
    pass
"""


def state(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def dry(batchmill, project):
    """A dry run, which must leave everything as it was."""

    def run(*words):
        before = state(project)
        ended = batchmill("run", "job.toml", "--dry-run", *words)
        assert before == state(project)
        return ended

    return run


def test_a_fresh_job_would_start(dry):
    ended = dry()

    assert ended.code == 0
    assert "  a run would   start afresh: there is no earlier run" in ended.out.splitlines()
    assert "  first record  seq 0 can be read, its key is 0" in ended.out.splitlines()


def test_a_job_in_the_middle_would_resume(dry, batchmill):
    batchmill("run", "job.toml", "--limit", 20)

    ended = dry("--json")

    assert json.loads(ended.out)["a run would"].startswith("resume: ")


def test_a_job_would_begin_anew(dry, batchmill):
    batchmill("run", "job.toml")

    assert "put the old output aside" in dry("--restart").out


def test_a_run_that_would_be_refused_is_refused(dry, batchmill, project):
    batchmill("run", "job.toml")
    job = (project / "job.toml").read_text()
    (project / "job.toml").write_text(job.replace('key = "id"', 'key = "id"\nversion = "2"'))

    refused = dry()

    assert refused.code == 2
    assert "hint: --accept-changes" in refused.err
    assert dry("--accept-changes").code == 0


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("nonsense\n", "NameError"),
        ("def on_startup(): pass\n", "process_record"),
        (TYPED, "field `lat`"),
    ],
)
def test_a_task_that_cannot_work_is_found(dry, project, task, said):
    (project / "task.py").write_text(task)

    ended = dry()

    assert ended.code == 2
    assert said in ended.err


def test_a_first_record_that_cannot_be_read_is_found(dry, project):
    (project / "in.jsonl").write_text('\n\n{"id": \n{"id": 1}\n')

    ended = dry()

    assert ended.code == 2
    assert "the first record of" in ended.err
    assert "seq 2, cannot be read" in ended.err


def test_an_empty_input_is_in_order(dry, project):
    write(project)

    assert "the input is empty" in dry().out
