"""map hands on what is there, and keeps nobody: its user may go away, its items may never come."""

from __future__ import annotations

import asyncio
import queue
import signal
import subprocess
import sys
import threading
import time

import pytest

import batchmill
from batchmill import DeadLetter, Job
from batchmill.flow import pending

PATIENCE_S = 20.0


def same(item):
    return item


def refuse(item):
    raise ValueError(item)


def drawn_from(items):
    """What is put into a queue, as long as it is not None."""
    return iter(lambda: items.get(timeout=PATIENCE_S), None)


@pytest.mark.parametrize("function", [same, refuse])
@pytest.mark.parametrize("settings", [{"engine": "async"}, {"engine": "thread"}])
def test_an_outcome_comes_before_the_next_item_does(monkeypatch, function, settings):
    monkeypatch.setattr(pending, "SILENT_S", 0.1)
    items = queue.Queue()
    outcomes = batchmill.map(function, drawn_from(items), **settings)

    for number in range(3):
        items.put(number)
        outcome = next(outcomes)
        assert number == (outcome.raw if isinstance(outcome, DeadLetter) else outcome)
    items.put(None)
    assert [] == list(outcomes)


def test_leaving_it_while_the_items_are_waited_for_ends_the_run():
    never = threading.Event()

    def items():
        yield from range(10)
        never.wait(PATIENCE_S)

    outcomes = batchmill.map(same, items())
    assert 0 == next(outcomes)
    outcomes.close()

    assert "batchmill-map" not in [thread.name for thread in threading.enumerate()]
    never.set()


def test_items_that_are_no_longer_wanted_are_closed():
    closed = []

    def items():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    outcomes = batchmill.map(same, items())
    next(outcomes)
    outcomes.close()

    assert closed == [True]


def test_a_loop_may_run_where_items_come_from():
    def items():
        yield asyncio.run(asyncio.sleep(0, "slept"))

    assert ["slept"] == list(batchmill.map(same, items()))


def test_what_ends_a_run_outside_of_its_calls_is_raised():
    class Task:
        @staticmethod
        def process_record(item):
            return item

        @staticmethod
        def on_startup(context):
            raise SystemExit("no service")

    with pytest.raises((SystemExit, batchmill.BatchmillError), match="no service"):
        list(batchmill.map(Task(), [1, 2]))


def test_a_call_that_interrupts_the_run_is_no_quiet_end():
    def interrupt(item):
        raise KeyboardInterrupt

    with pytest.raises(batchmill.BatchmillError, match="KeyboardInterrupt"):
        list(batchmill.map(interrupt, [1, 2]))


BEGUN = """
import batchmill, itertools, threading, time

class Task:
    @staticmethod
    def process_record(item):
        return item

    @staticmethod
    def on_shutdown(context):
        print("shut down", flush=True)

def slow(item):
    if item:
        time.sleep(600)
    return item

def waits():
    yield from range(5)
    threading.Event().wait()

"""
LEFT = {
    "peeked": 'outcomes = batchmill.map(Task(), itertools.count()); print(next(outcomes))',
    "waiting": 'outcomes = batchmill.map(Task(), waits()); print(next(outcomes))',
    "calling": 'outcomes = batchmill.map(slow, range(99), engine="thread"); print(next(outcomes))',
    "full": 'outcomes = batchmill.map(Task(), itertools.count()); next(outcomes); time.sleep(1)',
    "raised": 'for one in (outcomes := batchmill.map(Task(), itertools.count())): 1 / 0',
}  # fmt: skip


@pytest.mark.parametrize("script", LEFT.values(), ids=LEFT)
def test_a_program_that_ends_before_its_map_does_end(script):
    done = subprocess.run([sys.executable, "-c", BEGUN + script], capture_output=True, check=False,
                          text=True, timeout=60)  # fmt: skip

    assert done.returncode == ("1 / 0" in script)
    assert ("shut down" in done.stdout) == ("Task()" in script)
    assert "left behind" not in done.stderr


def test_results_are_committed_while_items_are_waited_for(tmp_path):
    sink = tmp_path / "out.jsonl"
    seen = []

    def items():
        yield from ({"n": n} for n in range(3))
        until = time.monotonic() + PATIENCE_S
        while not seen and time.monotonic() < until:
            seen.extend(sink.read_text().splitlines())

    report = batchmill.run(Job(source=items(), sink=sink, task=same))

    assert report.state == "completed"
    assert seen != []


WAITS_FOR_EVER = """
import threading
from batchmill import Job, run

def items():
    yield {"n": 1}
    print("waits", flush=True)
    threading.Event().wait()

report = run(Job(source=items(), sink="out.jsonl", task=lambda record: record))
print(report.state, report.succeeded, flush=True)
"""


def test_a_signal_is_heard_while_items_are_waited_for(tmp_path):
    with subprocess.Popen([sys.executable, "-c", WAITS_FOR_EVER], cwd=tmp_path, text=True,
                          stdout=subprocess.PIPE) as run:  # fmt: skip
        assert run.stdout.readline() == "waits\n"
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=60)

    # The one item that is there may have been called by then, or not.
    assert said in ("incomplete 0\n", "incomplete 1\n")


def test_a_limit_is_the_end_where_the_items_say_no_more(monkeypatch):
    monkeypatch.setattr(pending, "SILENT_S", 0.1)
    never = threading.Event()

    def items():
        yield from range(3)
        never.wait(PATIENCE_S)

    report = batchmill.run(Job(source=items(), task=same, limit=3))
    never.set()

    assert (report.state, report.succeeded, report.reason) == (
        "incomplete",
        3,
        "the limit is reached",
    )


def test_a_limit_that_is_the_number_of_the_items_is_complete():
    report = batchmill.run(Job(source=iter(range(3)), task=same, limit=3))

    assert (report.state, report.succeeded) == ("completed", 3)
