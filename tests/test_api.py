"""run and arun: what they return, what they refuse, what signals do, and what tasks may ask."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass

import msgspec
import pytest

from batchmill import Job, Permanent, Retry, Transient, arun, current, run
from batchmill.errors import AlreadyRunning, ConfigError
from batchmill.report import ExitCode

AT_ONCE = Retry(wait_min_s=0, wait_max_s=0)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"id":{n}}}\n' for n in range(100)))
    return path


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "out.jsonl"


def ids(path):
    return sorted(json.loads(line)["id"] for line in path.read_text().splitlines())


async def give_back(record):
    return record


def plain(record):
    return record


# Reports.


@pytest.mark.parametrize("task", [give_back, plain])
def test_a_job_from_file_to_file(source, sink, task):
    report = run(Job(source=source, task=task, sink=sink))

    assert (report.state, report.exit_code) == ("completed", ExitCode.DONE)
    assert (report.read, report.succeeded, report.pending, report.called) == (100, 100, 0, 100)
    assert ids(sink) == list(range(100))


@pytest.mark.parametrize("task", [give_back, plain])
def test_a_job_in_memory(task):
    report = run(Job(source=range(100), task=task))

    assert sorted(report.results) == list(range(100))
    assert report.failures == []


def test_failures_of_a_job_in_memory_are_in_the_report():
    async def task(record):
        if record % 10 == 3:
            raise KeyError(record)
        return record

    report = run(Job(source=range(30), task=task))

    assert sorted(letter.seq for letter in report.failures) == [3, 13, 23]
    assert {letter.raw for letter in report.failures} == {3, 13, 23}
    assert all(isinstance(letter.failure.error, KeyError) for letter in report.failures)
    assert report.errors_by_type == {"KeyError": 3}
    assert report.exit_code == ExitCode.FAILURES


def test_a_file_whose_results_stay_in_memory(source):
    report = run(Job(source=source, task=lambda record: record["id"]))

    assert sorted(report.results) == list(range(100))


def test_a_small_job_whose_records_all_fail_ends_with_as_many_dead_letters(tmp_path, sink):
    source = tmp_path / "five.jsonl"
    source.write_text('{"id":1}\n' * 5)

    def task(record):
        raise ValueError("no")

    report = run(Job(source=source, task=task, sink=sink))

    assert (report.state, report.failed, report.exit_code) == ("completed", 5, ExitCode.FAILURES)
    assert len((tmp_path / "out.errors.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize("task", [give_back, plain])
@pytest.mark.parametrize("fails", ["the task", "every line", "access"])
def test_a_broken_setting_ends_in_a_report_that_says_so(tmp_path, sink, task, fails):
    source = tmp_path / "in.jsonl"
    source.write_text(("no json\n" if fails == "every line" else '{"id":1}\n') * 100)

    class Refused(Exception):
        status = 401

    def broken(record):
        raise Refused if fails == "access" else KeyError(record["id"])

    async def broken_async(record):
        await asyncio.sleep(0)
        broken(record)

    report = run(Job(source=source, task=broken_async if task is give_back else broken, sink=sink,
                     concurrency=3))  # fmt: skip

    assert (report.state, report.exit_code) == ("aborted", ExitCode.ABORTED)
    assert (report.failed, report.succeeded) == (0, 0)
    assert "alike" in report.reason or "refuses access" in report.reason


def test_all_numbers_add_up(tmp_path, sink):
    source = tmp_path / "mixed.jsonl"
    lines = [f'{{"id":{n}}}' for n in range(50)]
    lines[7], lines[8], lines[20] = "", "{broken", "  "
    source.write_text("\n".join(lines))
    tried = Counter()

    async def task(record):
        n = record["id"]
        tried[n] += 1
        if n % 10 == 1:
            raise Permanent
        if n % 10 == 2 and tried[n] == 1:
            raise Transient
        return None if n % 10 == 3 else [record] * (n % 3)

    report = run(Job(source=source, task=task, sink=sink, retry=AT_ONCE))

    assert report.read == 48
    assert (report.succeeded, report.filtered, report.failed) == (37, 5, 6)
    assert report.retries == 5
    assert report.read == report.succeeded + report.filtered + report.failed + report.pending
    assert report.called == sum(tried.values())


def test_a_second_run_has_nothing_to_do(source, sink):
    run(Job(source=source, task=give_back, sink=sink))
    before = sink.read_bytes()

    report = run(Job(source=source, task=give_back, sink=sink))

    assert (report.state, report.called, report.already_settled) == ("completed", 0, 100)
    assert sink.read_bytes() == before


def test_a_limited_run_is_incomplete_and_says_why(source, sink):
    report = run(Job(source=source, task=give_back, sink=sink, limit=10))

    assert (report.state, report.exit_code) == ("incomplete", ExitCode.INCOMPLETE)
    assert "limit" in report.reason
    assert len(ids(sink)) == 10


def test_a_second_run_of_the_same_job_at_the_same_time_is_refused(source, sink):
    inner = []

    async def task(record):
        try:
            await arun(Job(source=source, task=give_back, sink=sink))
        except AlreadyRunning as error:
            inner.append(error.exit_code)
        return record

    report = run(Job(source=source, task=task, sink=sink, limit=1))

    assert inner == [75]
    assert report.succeeded == 1


# Where it may be called.


def test_run_is_refused_inside_a_running_loop():
    async def scenario():
        with pytest.raises(RuntimeError, match="arun"):
            run(Job(source=[1], task=give_back))

    asyncio.run(scenario())


def test_run_works_in_a_thread_and_leaves_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    reports, seen = [], []

    def task(record):
        seen.append(signal.getsignal(signal.SIGINT))
        return record

    thread = threading.Thread(target=lambda: reports.append(run(Job(source=[1, 2], task=task))))
    thread.start()
    thread.join(30)

    assert reports[0].succeeded == 2
    assert seen == [before, before]


def test_several_jobs_run_side_by_side_in_one_loop(source, tmp_path):
    async def scenario():
        jobs = [Job(source=source, task=give_back, sink=tmp_path / f"{n}.jsonl") for n in range(4)]
        return await asyncio.gather(*map(arun, jobs))

    reports = asyncio.run(scenario())

    assert [report.succeeded for report in reports] == [100] * 4
    assert all(ids(tmp_path / f"{n}.jsonl") == list(range(100)) for n in range(4))


def test_arun_lets_the_programs_other_coroutines_have_their_turns():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario():
        counting = asyncio.create_task(count())
        await arun(Job(source=range(20_000), task=give_back))
        counting.cancel()

    asyncio.run(scenario())

    assert turns > 10


@pytest.mark.parametrize("timeout_s", [None, 60])
def test_arun_that_is_cancelled_commits_what_is_done_and_is_cancelled(source, sink, timeout_s):
    async def scenario():
        async def task(record):
            if record["id"] == 40:
                running.cancel()
                await asyncio.Event().wait()
            return record

        job = Job(source=source, task=task, sink=sink, concurrency=1, timeout_s=timeout_s)
        running = asyncio.create_task(arun(job))
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())

    assert ids(sink) == list(range(40))
    report = run(Job(source=source, task=give_back, sink=sink))
    assert (report.already_settled, report.state) == (40, "completed")
    assert ids(sink) == list(range(100))


# Signals.


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGHUP, 129),
    ],
)
def test_a_signal_ends_a_run_which_then_can_go_on(source, sink, number, code):
    async def task(record):
        if record["id"] == 30:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
        return record

    report = run(Job(source=source, task=task, sink=sink, concurrency=2))

    assert (report.state, report.exit_code) == ("incomplete", code)
    assert signal.Signals(number).name in report.reason
    assert 30 in ids(sink)
    report = run(Job(source=source, task=give_back, sink=sink))
    assert report.state == "completed"
    assert ids(sink) == list(range(100))


def test_a_second_signal_gives_up_the_calls_in_flight(source, sink):
    async def task(record):
        if record["id"] == 30:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        return record

    report = run(Job(source=source, task=task, sink=sink, concurrency=2))

    assert report.exit_code == ExitCode.TERMINATED
    assert 30 not in ids(sink)
    assert report.failed == 0


def test_the_programs_signal_handlers_are_as_they_were():
    def mine(number, frame):
        raise AssertionError

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, mine) for number in numbers]
    try:
        run(Job(source=[1], task=give_back))
        assert [signal.getsignal(number) for number in numbers] == [mine] * 3
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_a_signal_that_the_program_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def task(record):
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        return record

    try:
        report = run(Job(source=range(10), task=task, concurrency=1))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)

    assert report.state == "completed"


# What a task may ask, and what it may take and give.


def test_a_task_knows_its_record_in_itself_in_a_child_and_in_a_thread(source):
    seen = []

    async def child():
        return current()

    async def task(record):
        own = current()
        await asyncio.sleep(0)
        seen.append((own, current(), await asyncio.create_task(child()),
                     await asyncio.to_thread(current)))  # fmt: skip
        return record

    run(Job(source=source, task=task, key="id", concurrency=7))

    assert len(seen) == 100
    assert all(len(set(four)) == 1 for four in seen)
    assert all(own.seq == own.key for own, *_ in seen)
    assert len({own.idempotency_key for own, *_ in seen}) == 100


def test_the_idempotency_key_is_the_same_over_attempts_and_runs(source, sink):
    keys = {}
    attempts = {}

    def failing(error):
        async def task(record):
            here = current()
            keys.setdefault(here.seq, set()).add(here.idempotency_key)
            attempts.setdefault(here.seq, []).append(here.attempt)
            if here.seq % 10 == 0:
                raise error
            return record

        return task

    job = {
        "source": source,
        "sink": sink,
        "retry": Retry(max_attempts=3, wait_min_s=0, wait_max_s=0),
    }
    run(Job(task=failing(Transient()), **job))
    run(Job(task=failing(Permanent()), **job))

    assert all(len(each) == 1 for each in keys.values())
    assert attempts[10] == [1, 2, 3, 1]
    assert attempts[11] == [1]


def test_the_idempotency_key_is_the_same_though_the_task_changes_its_record():
    keys = []

    async def task(record):
        keys.append(current().idempotency_key)
        record["tries"] = len(keys)
        if len(keys) < 3:
            raise Transient
        return record

    run(Job(source=[{"id": 1}], task=task, retry=AT_ONCE))

    assert len(set(keys)) == 1


def test_outside_a_task_there_is_no_record():
    with pytest.raises(LookupError, match="inside a task"):
        current()


def test_a_record_is_fresh_for_every_attempt(source):
    async def task(record):
        assert record == {"id": current().seq}
        record["touched"] = True
        if current().attempt == 1:
            raise Transient
        return record

    report = run(Job(source=source, task=task, retry=AT_ONCE))

    assert report.succeeded == 100


@dataclass
class Row:
    id: int


class Struct(msgspec.Struct):
    id: int


@pytest.mark.parametrize("kind", [Row, Struct])
def test_typed_records_and_results(source, sink, kind):
    async def task(record):
        assert type(record) is kind
        return kind(record.id + 1000)

    task.__annotations__["record"] = kind
    report = run(Job(source=source, task=task, sink=sink))

    assert report.succeeded == 100
    assert ids(sink) == list(range(1000, 1100))


def test_a_record_that_does_not_fit_its_annotation_is_a_dead_letter_that_names_the_field(tmp_path):
    source, sink = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id":1}\n{"id":"x"}\n{"ix":1}\n')

    async def task(record):
        return record

    task.__annotations__["record"] = Struct
    report = run(Job(source=source, task=task, sink=sink))

    assert (report.succeeded, report.failed) == (1, 2)
    letters = (tmp_path / "out.errors.jsonl").read_text().splitlines()
    assert all("`id`" in json.loads(letter)["error"]["message"] for letter in letters)


@pytest.mark.parametrize("task", [
    lambda record: [record, record],
    lambda record: (record for _ in range(2)),
    lambda record: (record, record),
])  # fmt: skip
def test_several_results_of_one_record_are_several_lines(source, sink, task):
    report = run(Job(source=source, task=task, sink=sink))

    assert report.succeeded == 100
    assert ids(sink) == sorted([*range(100), *range(100)])


def test_no_results_at_all_are_a_success_and_none_is_left_out(source, sink):
    report = run(
        Job(source=source, task=lambda record: [] if record["id"] % 2 else None, sink=sink)
    )

    assert (report.succeeded, report.filtered, report.failed) == (50, 50, 0)
    assert sink.read_bytes() == b""


def test_a_generator_that_breaks_off_writes_nothing_of_its_record(source, sink):
    def rows(record):
        yield record
        if record["id"] == 7:
            raise ValueError("half way")

    report = run(Job(source=source, task=lambda record: rows(record), sink=sink))

    assert report.failed == 1
    assert ids(sink) == [n for n in range(100) if n != 7]


@pytest.mark.parametrize("value", ["x", 5, b"x", {1, 2}, [1], float("nan"), {"id": float("nan")}])
def test_a_result_that_cannot_be_written_is_a_dead_letter(tmp_path, sink, value):
    source = tmp_path / "two.jsonl"
    source.write_text('{"id":0}\n{"id":1}\n')

    report = run(Job(source=source, task=lambda r: value if r["id"] else r, sink=sink))

    assert (report.succeeded, report.failed) == (1, 1)
    assert ids(sink) == [0]


@pytest.mark.parametrize("numbers", ["9007199254740993", "123456789012345678901234567890", "-0.0",
                                     "1e-7", "0.1", "1.7976931348623157e308"])  # fmt: skip
def test_numbers_come_out_as_the_values_they_were(tmp_path, sink, numbers):
    source = tmp_path / "numbers.jsonl"
    source.write_text(f'{{"id":{numbers},"in":[{numbers}]}}\n')

    run(Job(source=source, task=give_back, sink=sink))

    assert repr(json.loads(sink.read_text())) == repr(json.loads(source.read_text()))


# Files.


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_files_go_in_and_out_over_several_runs(tmp_path, suffix):
    from batchmill.files.streams import reading
    from batchmill.sinks.appended import compressor_for

    def content(path):
        with reading(path) as stream:
            parts = []
            while part := stream.read(1 << 16):
                parts.append(part)
        return b"".join(parts)

    source, sink = tmp_path / f"in.jsonl{suffix}", tmp_path / f"out.jsonl{suffix}"
    plain_lines = b"".join(b'{"id":%d}\n' % n for n in range(1000))
    compress = compressor_for(source)
    source.write_bytes(compress(plain_lines[:5000]) + compress(plain_lines[5000:]))

    for limit in (10, 500, None):
        run(Job(source=source, task=give_back, sink=sink, order="input", limit=limit))
        assert plain_lines.startswith(content(sink))

    assert content(sink) == plain_lines


def test_a_signal_starts_no_other_call_in_threads_either(monkeypatch):
    from batchmill.engines import on_threads

    monkeypatch.setattr(on_threads, "_next_size", lambda size, lasted_s: 64)
    called = []
    heard = threading.Event()

    def task(record):
        called.append(record)
        if record == 500:
            os.kill(os.getpid(), signal.SIGINT)
            heard.wait(0.3)
        return record

    report = run(Job(source=range(5000), task=task, concurrency=1))

    assert report.exit_code == ExitCode.INTERRUPTED
    assert max(called) <= 501


@pytest.mark.parametrize("settings", [
    {"concurrency": 0}, {"rate": "fast"}, {"max_failures": "many"}, {"order": "random"},
    {"engine": "gpu"}, {"timeout_s": 0}, {"limit": -1}, {"burst": 2}, {"rerun_key": "again"},
    {"grace_s": -1}, {"systemic_after": -1},
])  # fmt: skip
def test_a_job_that_makes_no_sense_is_refused_when_it_is_written(settings):
    with pytest.raises(ConfigError):
        Job(source=[1], task=give_back, **settings)


BLOCKING = """
import time
from batchmill import Job, run

async def task(record):
    print("blocking", flush=True)
    time.sleep(600)

report = run(Job(source=[1], task=task))
print(report.state, report.pending)
"""


def test_the_third_signal_reaches_a_task_that_blocks_the_event_loop():
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKING], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        child.stdout.readline()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child.send_signal(number)
        said, _ = child.communicate(timeout=30)

    assert said.split() == ["incomplete", "1"]
