"""Blocking work is done in order, in one daemon thread; whatever it raises is heard."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from batchmill.flow.one_thread import OneThread


def test_work_is_done_in_order_by_one_thread_that_ends_with_it():
    done, threads = [], set()
    worker = OneThread("worker")

    def work(number):
        done.append(number)
        threads.add(threading.current_thread())

    for number in range(100):
        worker.submit(work, number)
    worker.shutdown()

    (thread,) = threads
    assert done == list(range(100))
    assert thread.daemon
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [OSError("torn"), SystemExit(1), StopIteration()])
def test_what_work_raises_is_heard_by_who_awaits_it(error):
    worker = OneThread("worker")

    def work():
        raise error

    async def awaited():
        await asyncio.get_running_loop().run_in_executor(worker, work)

    with pytest.raises(BaseException) as heard:  # noqa: PT011 - it is looked at below
        asyncio.run(awaited())
    worker.shutdown()
    assert error in (heard.value, heard.value.__cause__)


def test_one_without_work_has_no_thread():
    before = threading.active_count()

    OneThread("worker").shutdown()

    assert threading.active_count() == before


RUNS_ON = """
import threading, time
from batchmill import Job, run

begun = threading.Event()

def task(record):
    begun.set()
    time.sleep(0.3)
    return record

def work():
    report = run(Job(source=[{"n": 1}], sink="out.jsonl", task=task, engine="thread"))
    print(report.state, flush=True)

threading.Thread(target=work).start()
begun.wait()
"""


def test_a_run_in_a_thread_commits_when_the_main_thread_has_ended(tmp_path):
    done = subprocess.run([sys.executable, "-c", RUNS_ON], cwd=tmp_path, capture_output=True,
                          check=True, text=True, timeout=60)  # fmt: skip

    assert done.stdout == "completed\n"
