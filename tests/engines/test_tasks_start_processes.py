"""What a task defines reaches processes that it starts itself, whatever they could import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from commands import environment

TASK = """\
import multiprocessing
class Pair:
    def __init__(self, n): self.n = n
def twice(pair): return Pair(2 * pair.n)
def process_record(n, context=None):
    with multiprocessing.get_context(METHOD).Pool(1) as pool:
        (pair,) = pool.map(twice, [Pair(n)])
    assert type(pair) is Pair
    return pair.n
"""
RUN = """\
import batchmill
if __name__ == "__main__":
    report = batchmill.run(batchmill.Job(source=[1, 2], task=TASK, engine=ENGINE, WORKERS))
    print(report.results, [str(letter.failure) for letter in report.failures])
"""


def run_in(folder, script, task, engine):
    workers = "workers=1" if engine == "process" else "concurrency=1"
    text = script.replace("TASK", task).replace("ENGINE", repr(engine)).replace("WORKERS", workers)
    (folder / "script.py").write_text(text)
    ran = subprocess.run([sys.executable, "script.py"], cwd=folder, env=environment(),
                         capture_output=True, text=True, timeout=30)  # fmt: skip
    return ran.stdout.strip() or ran.stderr


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_a_script_defines_reaches_a_pool_in_a_worker(tmp_path, method):
    script = TASK.replace("METHOD", repr(method)) + RUN

    assert run_in(tmp_path, script, "process_record", "process") == "[2, 4] []"


@pytest.mark.parametrize("engine", ["process", "thread"])
@pytest.mark.parametrize("name", ["my.task.py", "json.py"])
def test_what_a_file_defines_that_cannot_be_imported_reaches_a_pool(tmp_path, name, engine):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / name).write_text(TASK.replace("METHOD", "'spawn'"))

    assert run_in(tmp_path, RUN, repr(f"tasks/{name}"), engine) == "[2, 4] []"
