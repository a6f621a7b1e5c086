"""With order="input" results leave as their records came, however they were done."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage

from batchmill import Job, Retry, run
from batchmill.errors import Transient
from batchmill.flow import draft, feed


@settings(max_examples=60)
@given(
    lasts=st.lists(st.integers(0, 30), max_size=60),
    concurrency=st.integers(1, 12),
    fates=st.randoms(use_true_random=False),
)
def test_results_leave_in_the_order_of_the_input_whatever_the_order_of_completion(
    lasts, concurrency, fates
):
    fate = [fates.choice(["ok", "ok", "ok", "none", "fail", "twice"]) for _ in lasts]
    tried = [0] * len(lasts)

    async def task(record):
        tried[record] += 1
        await asyncio.sleep(lasts[record] / 10)
        if fate[record] == "fail":
            raise ValueError
        if fate[record] == "twice" and tried[record] == 1:
            raise Transient
        return None if fate[record] == "none" else record

    stage = Stage(task, range(len(lasts)), order="input", concurrency=concurrency, systemic_after=0)
    stage.play()

    expected = [n for n, what in enumerate(fate) if what in ("ok", "twice")]
    assert stage.results == expected
    assert sorted(stage.failed) == [n for n, what in enumerate(fate) if what == "fail"]
    assert stage.store.counts.filtered == fate.count("none")
    assert stage.store.progress.low_water == len(lasts)


def test_only_a_beginning_without_gaps_is_ever_committed():
    async def task(record):
        await asyncio.sleep(100 if record == 30 else 0.1)
        return record

    stage = Stage(task, range(200), order="input", concurrency=5).play()

    done = 0
    for commit in stage.store.commits:
        for start, stop, _ in commit.settled:
            assert start == done
            done = stop
    assert done == 200


def test_results_that_wait_for_a_straggler_are_bounded(monkeypatch):
    monkeypatch.setattr(draft, "MAX_HELD", 50)
    monkeypatch.setattr(feed, "PIECE_MOST", 8)
    most = 0

    async def task(record):
        nonlocal most
        most = max(most, stage.parts.desk.draft.held)
        await asyncio.sleep(1000 if record == 0 else 0.01)
        return record

    stage = Stage(task, range(1000), order="input", concurrency=4)
    stage.play()

    assert 40 <= most <= 50 + 8
    assert stage.results == list(range(1000))


def test_a_straggler_in_back_off_holds_the_others_back_and_not_for_ever(monkeypatch):
    monkeypatch.setattr(draft, "MAX_HELD", 50)

    async def task(record):
        if record == 3 and len(stage.starts_of(3)) < 3:
            raise Transient
        return record

    stage = Stage(task, range(3000), order="input", concurrency=4, retry=Retry(wait_min_s=30))
    stage.play()

    assert stage.results == list(range(3000))


def test_a_run_that_is_stopped_commits_what_has_no_gap_before_it():
    async def task(record):
        await asyncio.sleep(100 if record == 5 else 1)
        return record

    async def interrupt(stage):
        await asyncio.sleep(10.5)
        stage.stop.cancel("enough")

    stage = Stage(task, range(50), order="input", concurrency=2)
    stage.play(interrupt)

    assert stage.results == [0, 1, 2, 3, 4]
    assert stage.store.progress.end == stage.store.progress.low_water


@pytest.mark.parametrize("concurrency", [1, 2, 7, 50])
def test_the_output_is_to_the_byte_that_of_a_serial_run(tmp_path, concurrency):
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"n":{n}}}\n' for n in range(500)))

    async def task(record):
        n = record["n"]
        for _ in range(n * 7919 % 23):
            await asyncio.sleep(0)
        if n % 50 == 49:
            raise ValueError
        return None if n % 10 == 3 else [{"n": n, "part": part} for part in range(n % 4)]

    sink = tmp_path / "out.jsonl"
    report = run(Job(source=source, task=task, sink=sink, order="input", concurrency=concurrency))

    serial = "".join(
        f'{{"n":{n},"part":{part}}}\n'
        for n in range(500)
        if n % 50 != 49 and n % 10 != 3
        for part in range(n % 4)
    )
    assert sink.read_text() == serial
    assert (report.succeeded, report.filtered, report.failed) == (440, 50, 10)


def test_a_run_in_threads_keeps_the_order_too(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"n":{n}}}\n' for n in range(500)))

    sink = tmp_path / "out.jsonl"
    run(Job(source=source, task=lambda record: record, sink=sink, order="input", concurrency=8))

    assert sink.read_bytes() == source.read_bytes()


def test_a_run_that_goes_on_later_ends_with_the_same_bytes(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"n":{n}}}\n' for n in range(500)))

    async def task(record):
        for _ in range(record["n"] * 7919 % 23):
            await asyncio.sleep(0)
        return record

    sink = tmp_path / "out.jsonl"
    job = {"source": source, "task": task, "sink": sink, "order": "input", "concurrency": 9}
    for limit in (7, 100, 1, 250):
        run(Job(**job, limit=limit))
    report = run(Job(**job))

    assert sink.read_bytes() == source.read_bytes()
    assert report.already_settled == 358


def test_results_in_memory_are_in_order_too():
    async def task(record):
        for _ in range(record * 7919 % 23):
            await asyncio.sleep(0)
        return record

    report = run(Job(source=range(300), task=task, order="input", concurrency=20))

    assert report.results == list(range(300))
