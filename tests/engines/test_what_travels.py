"""Which tasks, records and results can travel to worker processes; what becomes of the others."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
import threading

import pytest

from batchmill import ConfigError, Job, run
from commands import environment

LOCK = threading.Lock()


class Sum:
    """An object with a state of its own."""

    def __init__(self, more):
        self.more = more

    def process_record(self, record):
        return record + self.more

    def added(self, record):
        return record + self.more


class Unreadable:
    """Can be pickled, and not be read again."""

    def __reduce__(self):
        return int, ("nope",)


def in_processes(task, source=(1, 2, 3), **options):
    options = {"workers": 2, "systemic_after": 0} | options
    return run(Job(source=source, task=task, engine="process", **options))


def failures(report):
    return {letter.seq: (letter.failure.type, letter.failure.message.split(":")[0])
            for letter in report.failures}  # fmt: skip


def of_a_notebook():
    """A function as a cell makes it, whose globals no module has."""
    cell = {}
    exec("import math\nK = 3\ndef double(n): return n * K\n"
         "def task(n): return double(n) + math.floor(0.5)", cell)  # fmt: skip
    return cell["task"]


@pytest.mark.parametrize(
    ("task", "results"),
    [
        (lambda n: n * 2, [2, 4, 6]),
        (Sum(5), [6, 7, 8]),
        (Sum(5).added, [6, 7, 8]),
        (functools.partial(pow, 2), [2, 4, 8]),
        (of_a_notebook(), [3, 6, 9]),
        (abs, [1, 2, 3]),
        (functools.cache(lambda n: n * 2), [2, 4, 6]),
        (functools.partial(functools.lru_cache(maxsize=1)(lambda m, n: m * n), 3), [3, 6, 9]),
        ("math:sqrt", [1.0, 2**0.5, 3**0.5]),
    ],
    ids=[
        "lambda",
        "object",
        "method",
        "partial",
        "notebook",
        "builtin",
        "cached",
        "partly cached",
        "spelled",
    ],
)
def test_a_task_of_this_kind_travels(task, results):
    assert results == in_processes(task).results


def test_a_task_that_cannot_travel_is_told_before_anything_runs():
    drawn = []

    def items():
        drawn.append(1)
        yield 1

    lock = threading.Lock()
    with pytest.raises(ConfigError, match=r"cannot be sent to worker processes: .*lock") as error:
        in_processes(lambda n: lock and n, items())
    assert "on_startup" in error.value.hint
    assert not drawn


def test_items_that_cannot_be_sent_are_dead_letters():
    report = in_processes(lambda n: n, [1, LOCK, 3, Unreadable(), 5])

    assert [1, 3, 5] == report.results
    assert {1: ("InvalidRecord", "the item cannot be sent to a worker process"),
            3: ("InvalidRecord", "the item cannot be read in a worker process")} \
        == failures(report)  # fmt: skip


def test_results_that_cannot_be_sent_are_dead_letters():
    def task(n):
        return {2: threading.Lock(), 4: Unreadable()}.get(n, n)

    report = in_processes(task, [1, 2, 3, 4, 5])

    assert [1, 3, 5] == report.results
    assert {1: ("UnencodableResult", "the result cannot be sent from a worker process"),
            3: ("UnencodableResult", "the result of a worker process cannot be read")} \
        == failures(report)  # fmt: skip


def test_results_of_a_batch_that_cannot_be_sent_are_dead_letters():
    def process_batch(records):
        return [{2: threading.Lock(), 4: Unreadable()}.get(n, n) for n in records]

    report = in_processes(process_batch, [1, 2, 3, 4, 5], batch_size=5)

    assert [1, 3, 5] == report.results
    assert {1, 3} == failures(report).keys()


def test_an_exception_that_cannot_be_sent_is_told_in_words():
    class Stubborn(Exception):
        def __reduce__(self):
            raise TypeError("no")

    def task(n):
        raise Stubborn("so it is")

    report = in_processes(task, [1])

    assert {0: ("Stubborn", "so it is")} == failures(report)


SCRIPT = """\
import dataclasses, os
from batchmill import Job, run
import beside

class Given:
    def __init__(self, x):
        self.x = x

@dataclasses.dataclass
class Made:
    y: int
    pid: int

OFFSET = 7

def task(given):
    return Made(beside.double(given.x) + OFFSET, os.getpid())

def typed(given: Made):
    return {"y": given.y + 1}

if __name__ == "__main__":
    report = run(Job(source=[Given(n) for n in range(4)], task=task, engine="process", workers=2))
    assert not report.failures, report.failures
    assert [7, 9, 11, 13] == [made.y for made in report.results]
    assert all(type(made) is Made and made.pid != os.getpid() for made in report.results)

    with open("in.jsonl", "w") as file:
        file.write('{"y": 1, "pid": 2}\\n{"y": "no", "pid": 2}\\n')
    report = run(Job(source="in.jsonl", task=typed, sink="out.jsonl", engine="process", workers=2))
    assert (1, 1) == (report.succeeded, report.failed), report
    assert '{"y":2}\\n' == open("out.jsonl").read()
    print("as it should be")
"""


def test_what_a_script_defines_travels_and_so_does_what_lies_beside_it(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("def double(n):\n    return n * 2\n")

    ended = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment(),
                           capture_output=True, text=True, timeout=60)  # fmt: skip

    assert ("as it should be\n", "") == (ended.stdout, ended.stderr)


def test_a_script_without_a_guard_does_not_start_itself_again_in_its_workers(tmp_path):
    (tmp_path / "script.py").write_text(
        "from batchmill import Job, run\nprint('begun')\n"
        "print(run(Job(source=[1, 2], task=lambda n: n + 1, engine='process')).results)\n"
    )

    ended = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment(),
                           capture_output=True, text=True, timeout=60)  # fmt: skip

    assert ("begun\n[2, 3]\n", "") == (ended.stdout, ended.stderr)


def test_items_are_drawn_as_they_are_needed():
    drawn = itertools.count()

    report = in_processes(lambda n: n, drawn, limit=1000, workers=2)

    assert list(range(1000)) == report.results
    assert next(drawn) < 3000


def test_an_error_of_the_items_ends_the_run():
    def items():
        yield from range(300)
        raise OSError("the line is cut")

    report = in_processes(lambda n: n, items())

    assert "aborted" == report.state
    assert "the line is cut" in report.reason
    assert list(range(len(report.results))) == report.results
