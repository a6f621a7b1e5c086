"""Worker processes import what their driver does, whatever lies in the folders around it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from commands import environment, start

OURS = "raise SystemExit('a file of this folder was run in place of a library')\n"
NAMES = ("token", "random", "types", "select", "queue", "tempfile", "secrets", "msgspec", "click")


def run(folder, engine, task="task.py", cwd=None):
    command = start("run", task, "--input", folder / "in.jsonl", "--output", folder / "out.jsonl",
                    "--engine", engine, "--progress", "none", "--log-level", "error", "--restart",
                    cwd=cwd or folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    text=True)  # fmt: skip
    return command, command.communicate(timeout=60)[1]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "task.py").write_text("def process_record(record): return record\n")
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n')
    return tmp_path


@pytest.mark.parametrize("place", ["beside the task", "in the working folder"])
def test_files_that_are_named_like_libraries_are_not_imported_for_them(project, place):
    beside = place == "beside the task"
    folder = project if beside else project / "elsewhere"
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / f"{name}.py").write_text(OURS)

    # Started as it is installed: `python -m` would itself look into the working folder first.
    command = [sys.executable, "-P", "-m", "batchmill", "run", str(project / "task.py"), "--input",
               str(project / "in.jsonl"), "--output", str(project / "out.jsonl"), "--engine",
               "process", "--progress", "none"]  # fmt: skip
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True,
                           timeout=60)  # fmt: skip

    assert 0 == ended.returncode, ended.stderr


def test_what_the_driver_has_not_imported_the_task_may_bring_itself(project):
    (project / "mailbox.py").write_text("NAME = 'ours'\n")
    (project / "task.py").write_text("import mailbox\ndef process_record(record):\n"
                                     "    return {'mailbox': mailbox.NAME}\n")  # fmt: skip

    command, err = run(project, "process")

    assert 0 == command.returncode, err
    assert {"mailbox": "ours"} == json.loads((project / "out.jsonl").read_text())


@pytest.mark.parametrize("engine", ["async", "thread", "process"])
@pytest.mark.parametrize("name", ["task.py", "my-task.py"])
def test_a_task_file_can_be_used_by_processes_that_are_not_forked(project, engine, name):
    define = "async def" if engine == "async" else "def"
    (project / name).write_text(f"""\
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
class Twice(int): pass
def double(n): return Twice(n * 2)
{define} process_record(record):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return {{"all": [type(n) is Twice for n in pool.map(double, range(3))]}}
""")

    command, err = run(project, engine, name)

    assert 0 == command.returncode, err
    assert {"all": [True] * 3} == json.loads((project / "out.jsonl").read_text())
