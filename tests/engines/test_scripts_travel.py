"""What a script defines reaches worker processes, however it is decorated."""

from __future__ import annotations

import subprocess
import sys

import pytest

from commands import environment

SCRIPT = """\
import functools, batchmill

def traced(function):
    @functools.wraps(function)
    def call(n):
        return function(n)
    return call

def two():
    return 2

@functools.cache
def factor():
    return two()

def plain(n): return n * factor()

@functools.lru_cache(maxsize=8)
def cached(n): return n * factor()

@traced
@functools.cache
def wrapped(n): return n * factor()

def times(n, m): return n * m

class Tasks:
    @classmethod
    def of_class(cls, n): return cls.of_nobody(n)

    @staticmethod
    @functools.cache
    def of_nobody(n): return n * factor()

    @functools.cache
    def of_object(self, n): return n * factor()

tasks = Tasks()
print(list(batchmill.map(TASK, [1, 2], engine="process", workers=1)))
"""


@pytest.mark.parametrize(
    "task",
    ["plain", "cached", "wrapped", "functools.partial(times, m=2)", "Tasks.of_class",
     "Tasks.of_nobody", "tasks.of_object", "functools.partial(tasks.of_object)"],
)  # fmt: skip
def test_a_task_of_a_script(tmp_path, task):
    (tmp_path / "script.py").write_text(SCRIPT.replace("TASK", task))

    ended = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment(),
                           capture_output=True, text=True, timeout=60)  # fmt: skip

    assert ("[2, 4]\n", 0) == (ended.stdout, ended.returncode), ended.stderr
