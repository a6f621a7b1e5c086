"""A small project, and the command: in this process, or as one of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchmill.cli.app import invoke
from commands import start
from small_jobs import some_records, write

JOB = """\
[job]
name = "small"
key = "id"
[source]
path = "in.jsonl"
[sink]
path = "out.jsonl"
[run]
systemic_after = 0
"""

TASK = """\
import sys

def process_record(record):
    kind = record.get("kind")
    if kind == "bad":
        raise ValueError(f"record {record['id']} is bad")
    if kind == "list":
        return [{"id": record["id"], "part": n} for n in range(3)]
    return None if kind == "none" else {"id": record["id"], "done": True}
"""


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The working directory: a job of 50 records, 10 of which fail and 10 are filtered."""
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "job.toml").write_text(JOB)
    (tmp_path / "task.py").write_text(TASK)
    write(tmp_path, *some_records())
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def batchmill(project, capfd, request):
    """Run a command in this process. What it says is shown if the test fails."""

    def command(*words: object) -> Ended:
        capfd.readouterr()
        code = invoke([str(word) for word in words])
        ended = Ended(code, *capfd.readouterr())
        what = " ".join(map(str, words))
        request.node.add_report_section("call", f"{what}: exit code {code}", ended.err)
        return ended

    return command


@pytest.fixture
def batchmill_process(project):
    """Run a command as a process of its own."""

    def command(*words: object, **options) -> Ended:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        with start(*words, text=True, **pipes) as process:
            out, err = process.communicate(timeout=60)
            return Ended(process.returncode, out or "", err or "")

    return command
