"""A record is called in a worker process as it would be on the loop or in a thread."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest

from batchmill import Retry
from batchmill.cli.app import invoke
from batchmill.records import MESSAGE_CHARS
from crash.workers import wait_until
from faults.conftest import little

__all__ = ["little"]


@pytest.fixture
def written(little):
    """Writes a task module; returns its path."""

    def write(text):
        path = little.folder / "task.py"
        path.write_text(text)
        return str(path)

    return write


def processes(little, task, **options):
    return little.run(task, **{"engine": "process", "workers": 2} | options)


CURRENT = """\
import batchmill

{define} process_record(record):
    now = batchmill.current()
    if record["id"] % 3 == 0 and now.attempt < 3:
        raise batchmill.Transient("busy")
    return {{"id": record["id"], "seq": now.seq, "key": now.key, "attempt": now.attempt,
            "idempotency_key": now.idempotency_key}}
"""


@pytest.mark.parametrize("define", ["def", "async def"])
def test_a_record_has_the_same_name_attempt_and_keys_on_every_engine(little, written, define):
    task = written(CURRENT.format(define=define))
    little.write(*({"id": n} for n in range(30)))
    seen = {}

    for engine in ["async", "process"]:
        little.run(task, engine=engine, workers=2, key="id", name="same", restart=True)
        seen[engine] = sorted(little.results(), key=lambda result: result["id"])

    assert seen["async"] == seen["process"]
    assert {3} == {result["attempt"] for result in seen["process"] if result["id"] % 3 == 0}


@pytest.mark.parametrize("engines", [("process", "async"), ("async", "process"),
                                     ("process", "thread"), ("thread", "process")])  # fmt: skip
def test_a_job_begun_on_one_engine_is_ended_on_another(little, written, engines):
    task = written("def process_record(record):\n    if record['id'] % 7 == 3: raise ValueError\n"
                   "    return record\n")  # fmt: skip
    little.write(*({"id": n} for n in range(300)))
    first, second = engines

    begun = little.run(task, engine=first, workers=2, limit=100)
    ended = little.run(task, engine=second, workers=2, retry_failed=False)

    assert ("incomplete", 100) == (begun.state, begun.called)
    assert ("completed", 200) == (ended.state, ended.called)
    assert [n for n in range(300) if n % 7 != 3] == sorted(each["id"] for each in little.results())
    assert {n for n in range(300) if n % 7 == 3} == little.failed().keys()
    assert 0 == invoke(["verify", str(little.output)])


def test_results_come_in_the_order_of_the_input(little, written):
    task = written("import time\ndef process_record(record):\n"
                   "    time.sleep(0.02 if record['id'] % 50 == 0 else 0)\n"
                   "    n = record['id'] % 3\n"
                   "    return None if n == 1 else [record] * n\n")  # fmt: skip
    little.write(*({"id": n} for n in range(500)))

    processes(little, task, order="input")

    assert [n for n in range(500) if n % 3 == 2 for _ in range(2)] == [
        result["id"] for result in little.results()
    ]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_there_may_be_fewer_records_than_workers(little, written, count):
    task = written("def process_record(record):\n    return record\n")
    little.write(*({"id": n} for n in range(count)), end=b"\n" if count else b"")

    report = processes(little, task, workers=4)

    assert ("completed", count) == (report.state, report.succeeded)


@pytest.mark.parametrize("limit", [0, 1, 57, 1000])
def test_no_more_than_the_limit_is_called(little, written, limit):
    task = written("def process_record(record):\n    return record\n")
    little.write(*({"id": n} for n in range(2000)))

    report = processes(little, task, limit=limit)

    assert (limit, limit) == (report.called, len(little.results()))


def test_blank_broken_and_oversized_lines_among_many_records(little, written):
    task = written("def process_record(record):\n    return record\n")
    lines = [{"id": n} for n in range(10_000)]
    lines[5000], lines[6000], lines[7000] = b"", b"{", b'{"id": "' + b"x" * 200_000 + b'"}'
    little.write(*lines)

    report = processes(little, task, source_options={"max_record_bytes": 100_000})

    assert (9999, 9997) == (report.read, report.succeeded)
    assert {6000, 7000} == little.failed().keys()
    assert 0 == invoke(["verify", str(little.output), "--input", str(little.source)])


def test_records_and_results_of_many_megabytes_travel(little, written):
    task = written("def process_record(record):\n    return {'text': record['text'] * 2}\n")
    large = {"text": "x" * 25_000_000}
    little.write(large, {"text": "y"}, large)

    report = processes(little, task)

    assert ("completed", 3) == (report.state, report.succeeded)
    assert [2, 50_000_000, 50_000_000] == sorted(len(each["text"]) for each in little.results())


def test_too_many_failures_end_the_run(little, written):
    task = written("def process_record(record):\n    raise ValueError(record['id'])\n")
    little.write(*({"id": n} for n in range(5000)))

    report = processes(little, task, max_failures=10)

    assert "aborted" == report.state
    assert report.failed < 5000


def test_the_same_failure_of_the_first_records_writes_no_dead_letters(little, written):
    task = written("def process_record(record):\n    raise ValueError('always')\n")
    little.write(*({"id": n} for n in range(500)))

    report = processes(little, task, systemic_after=20)

    assert ("aborted", 0) == (report.state, report.failed)
    assert "ValueError: always" in report.reason


RATED = """\
import os, time
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def process_record(record):
    os.write(notes, b"%d\\n" % time.monotonic_ns())
    {act}
    return record
"""


def starts_of(little):
    return sorted(int(line) / 1e9 for line in (little.folder / "starts").read_text().split())


def test_the_rate_holds_over_all_workers(little, written):
    task = written(RATED.format(notes=str(little.folder / "starts"), act="pass"))
    little.write(*({"id": n} for n in range(30)))

    processes(little, task, rate="40/s", workers=3)

    starts = starts_of(little)
    assert 30 == len(starts)
    assert starts[-1] - starts[0] > 28 / 40


def test_a_pause_that_a_server_asks_for_holds_all_workers(little, written):
    act = """if record["id"] == 3 and not os.path.exists("asked"):
        open("asked", "w").close()
        raise Busy
    time.sleep(0.01)"""
    busy = "class Busy(ConnectionError):\n    retry_after_s = 0.7\n\n"
    task = written(busy + RATED.format(notes=str(little.folder / "starts"), act=act).replace(
        '"asked"', repr(str(little.folder / "asked"))))  # fmt: skip
    little.write(*({"id": n} for n in range(60)))

    report = processes(little, task)

    starts = starts_of(little)
    assert ("completed", 60) == (report.state, report.succeeded)
    assert max(late - early for early, late in itertools.pairwise(starts)) > 0.5


@pytest.mark.parametrize("exception", ["SystemExit", "GeneratorExit", "BaseException"])
def test_whatever_a_task_raises_is_the_failure_of_its_record(little, written, exception):
    task = written(f"def process_record(record):\n    if record['id'] == 1: raise {exception}\n"
                   "    return record\n")  # fmt: skip
    little.write(*({"id": n} for n in range(3)))

    report = processes(little, task)

    assert ("completed", {1: exception}) == (report.state, little.failed())


@pytest.mark.parametrize("define", ["def", "async def"])
def test_keyboard_interrupt_in_a_task_stops_the_run_and_leaves_the_record_pending(
    little, written, define
):
    task = written(f"{define} process_record(record):\n"
                   "    if record['id'] == 1: raise KeyboardInterrupt\n"
                   "    return record\n")  # fmt: skip
    little.write(*({"id": n} for n in range(100)))

    report = processes(little, task)

    assert "incomplete" == report.state
    assert 0 == report.failed
    assert 1 not in [result["id"] for result in little.results()]


def test_a_long_message_is_cut(little, written):
    task = written("def process_record(record):\n    raise ValueError('x' * 1_000_000)\n")
    little.write({"id": 0})

    processes(little, task)

    (letter,) = little.letters()
    assert "x" * MESSAGE_CHARS == letter["error"]["message"]


def test_a_coroutine_that_is_late_is_cancelled_and_its_worker_goes_on(little, written):
    task = written("import asyncio, os\nasync def process_record(record):\n"
                   "    if record['id'] == 5: await asyncio.sleep(3600)\n"
                   "    return {'pid': os.getpid()}\n")  # fmt: skip
    little.write(*({"id": n} for n in range(50)))

    report = processes(little, task, workers=1, timeout_s=0.2, retry=Retry(max_attempts=1))

    assert ({5: "TimedOut"}, 49) == (little.failed(), report.succeeded)
    assert "killed" not in little.letters()[0]["error"]["message"]
    assert 1 == len({result["pid"] for result in little.results()})


def test_a_coroutine_that_heeds_no_cancelling_is_ended_with_its_worker(little, written):
    task = written("""\
import asyncio
async def process_record(record):
    while record["id"] == 5:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
    return record
""")
    little.write(*({"id": n} for n in range(50)))

    report = processes(little, task, workers=1, timeout_s=0.2, retry=Retry(max_attempts=1))

    assert ({5: "TimedOut"}, 49) == (little.failed(), report.succeeded)


def test_a_session_is_there_for_coroutines_in_workers(little, written):
    pytest.importorskip("aiohttp")
    task = written("async def process_record(record, context):\n"
                   "    return {'session': type(context['session']).__module__}\n")  # fmt: skip
    little.write({"id": 0})

    processes(little, task)

    assert [{"session": "aiohttp.client"}] == little.results()


def test_children_that_a_task_leaves_behind_do_not_hold_up_the_run(little, written):
    task = written("""\
import os, time
def process_record(record):
    if record["id"] == 3:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    if record["id"] == 6 and os.fork() == 0:
        os.setsid()
        time.sleep(5)
        os._exit(0)
    return record
""")
    little.write(*({"id": n} for n in range(10)))
    began = time.monotonic()

    report = processes(little, task)

    assert ("completed", 10) == (report.state, report.succeeded)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("define", ["def", "async def"])
def test_children_that_a_task_lets_return_are_not_heard(little, written, define, capfd):
    wait = "await asyncio.sleep(0.001)" if define == "async def" else "pass"
    task = written(f"""\
import asyncio, os
{define} process_record(record):
    if record["id"] % 50 == 3:
        os.fork()
    {wait}
    return record
""")
    little.write(*({"id": n} for n in range(300)))

    report = processes(little, task)

    assert ("completed", 300) == (report.state, report.succeeded)
    assert list(range(300)) == sorted(result["id"] for result in little.results())
    assert "hint: end it with os._exit()" in capfd.readouterr().err


def test_what_a_dead_worker_had_started_is_ended_too(little, written):
    task = written("""\
import os, pathlib, subprocess
def process_record(record):
    if record["id"] == 3:
        child = subprocess.Popen(["sleep", "60"])
        with open(record["file"], "a") as file:
            file.write(f"{child.pid}\\n")
        os._exit(1)
    return record
""")
    started = little.folder / "started"
    little.write(*({"id": n, "file": str(started)} for n in range(10)))

    processes(little, task)

    children = started.read_text().split()
    assert 3 == len(children)
    wait_until(lambda: not any(is_sleeping(pid) for pid in children))


def is_sleeping(pid):
    """Whether this is `sleep`, and has not ended."""
    try:
        return "sleep" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("engine", ["thread", "process"])
def test_a_plain_function_may_run_a_loop_of_its_own(little, written, engine):
    task = written("""\
import asyncio, batchmill
async def double(n):
    await asyncio.sleep(0)
    return {"n": n * 2, "seq": batchmill.current().seq}

def process_record(record):
    inner = batchmill.run(batchmill.Job(source=[1, 2], task=lambda n: n + 1, engine="async"))
    return {**asyncio.run(double(record["id"])), "inner": inner.results}
""")
    little.write(*({"id": n} for n in range(20)))

    report = little.run(task, engine=engine, workers=2, concurrency=2)

    assert ("completed", 20) == (report.state, report.succeeded)
    assert [{"n": n * 2, "seq": n, "inner": [2, 3]} for n in range(20)] == sorted(
        little.results(), key=lambda result: result["n"]
    )


def test_signals_that_a_task_sends_to_its_own_process_do_not_stop_it(little, written):
    task = written("import os, signal\ndef process_record(record):\n"
                   "    number = signal.SIGTERM if record['id'] % 2 else signal.SIGINT\n"
                   "    os.kill(os.getpid(), number)\n"
                   "    return record\n")  # fmt: skip
    little.write(*({"id": n} for n in range(10)))

    report = processes(little, task)

    assert ("completed", 10) == (report.state, report.succeeded)


def test_what_a_task_prints_does_not_hide_in_the_output(little, written):
    task = written("print('imported')\ndef process_record(record):\n"
                   "    print('called', flush=True)\n    return record\n")  # fmt: skip
    little.write(*({"id": n} for n in range(10)))

    report = processes(little, task)

    assert 10 == report.succeeded
    assert 10 == len([json.loads(line) for line in little.text().splitlines()])
