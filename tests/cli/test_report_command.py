"""`batchmill report` tells of any run, `init` begins, and help shows how."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from batchmill.cli.app import COMMANDS


@pytest.fixture
def twice(batchmill):
    for code, words in ((4, ("--limit", 20)), (3, ())):
        ended = batchmill("run", "job.toml", *words)
        assert ended.code == code, ended.err
    return batchmill


def test_the_last_run_is_reported_or_any_other(twice):
    assert twice("report", "job.toml").out.startswith("run 2, small: completed after ")
    assert twice("report", "out.jsonl", "--run", 1).out.startswith("run 1, small: incomplete ")


def test_all_runs_are_listed_the_last_first(twice):
    lines = twice("report", "job.toml", "--all").out.splitlines()

    assert [line.split()[0] for line in lines] == ["2", "1"]


def test_json_has_the_whole_report(twice):
    report = json.loads(twice("report", "job.toml", "--json").out)

    assert (2, 30, 3) == (report["run"], report["succeeded"], report["exit_code"])


def test_a_page_holds_the_runs_with_everything_escaped(twice, project):
    job = (project / "job.toml").read_text().replace('"small"', '"<b>&"')
    (project / "job.toml").write_text(job)
    twice("run", "job.toml")

    twice("report", "job.toml", "--all", "--html", "runs.html")

    page = (project / "runs.html").read_text()
    assert page.count("<h2>Run ") == 3
    assert "&lt;b&gt;&amp;: completed" in page
    assert "<b>&" not in page


def test_a_run_that_is_not_there_is_told(twice):
    assert "there is no run 7" in twice("report", "job.toml", "--run", 7).err


def test_a_new_project_works_at_once(batchmill, project):
    assert batchmill("init", "fresh").code == 0

    assert batchmill("run", "fresh/job.toml").code == 3
    assert batchmill("verify", "fresh/job.toml").code == 0


def test_the_test_of_a_new_project_passes(batchmill, project):
    batchmill("init", "fresh")

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_task.py"]
    done = subprocess.run(command, cwd=project / "fresh", check=False, capture_output=True)

    assert done.returncode == 0, done.stdout


def test_a_new_project_overwrites_nothing(batchmill, project):
    before = (project / "job.toml").read_bytes()

    ended = batchmill("init")

    assert ended.code == 2
    assert "has job.toml, task.py already" in ended.err
    assert before == (project / "job.toml").read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_worked_examples(batchmill, command):
    ended = batchmill(command, "--help")

    assert ended.code == 0
    assert f"batchmill {command} " in ended.out.split("Examples:")[1]


def test_the_command_alone_shows_its_help(batchmill):
    assert batchmill().out == batchmill("--help").out
    assert "0.1.0" in batchmill("--version").out
