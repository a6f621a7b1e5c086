"""A record that failed is tried again, and keeps nobody waiting meanwhile."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from stage import Stage

from batchmill.core.retry import MAX_FREE_WAITS, MAX_SERVER_WAIT_S, MAX_THROTTLED_S
from batchmill.errors import Permanent, RetryAfter, Transient
from batchmill.flow import feed, pending
from batchmill.options import Retry

TICK_S = 0.06
"""A tick, and a little."""


def failing(times, *, seqs, error=Transient, lasts_s=0.0):
    """A task that raises `error()` `times` times on each of these records, and returns others."""
    left = dict.fromkeys(seqs, times)

    async def task(record):
        await asyncio.sleep(lasts_s)
        if left.get(record, 0):
            left[record] -= 1
            raise error()
        return record

    return task


def test_a_record_in_back_off_holds_no_slot():
    task = failing(3, seqs=[0], lasts_s=0.01)

    stage = Stage(task, range(100), concurrency=1, retry=Retry(wait_min_s=10, wait_max_s=10))
    stage.play()

    others = [start.at for start in stage.starts if start.seq]
    assert max(others) < 1.2
    assert 15 <= stage.ended_at < 16
    assert sorted(stage.results) == list(range(100))


def test_the_waits_are_full_jitter_and_double_up_to_their_limit():
    task = failing(9, seqs=[0])

    stage = Stage(
        task, [0], retry=Retry(max_attempts=10, wait_min_s=1, wait_max_s=60), jitter=lambda: 0.5
    )
    stage.play()

    waits = [after - before for before, after in pairwise(stage.starts_of(0))]
    assert waits == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30, 30])


def test_attempts_are_counted_from_one_and_end_at_the_limit():
    task = failing(99, seqs=[3])

    stage = Stage(task, range(5), retry=Retry(max_attempts=4)).play()

    assert [start.attempt for start in stage.starts if start.seq == 3] == [1, 2, 3, 4]
    assert [(letter.seq, letter.attempts) for letter in stage.letters] == [(3, 4)]
    assert stage.parts.desk.retries == 3
    assert sorted(stage.results) == [0, 1, 2, 4]


def test_a_permanent_failure_is_tried_once():
    stage = Stage(failing(99, seqs=[1], error=Permanent), range(3)).play()

    assert len(stage.starts_of(1)) == 1
    assert stage.failed == [1]


def test_a_retry_that_falls_due_starts_while_another_slot_is_busy_for_long():
    async def task(record):
        if record == "long":
            await asyncio.sleep(600)
        if record == "fails" and len(stage.starts_of(1)) == 1:
            await asyncio.sleep(0.1)
            raise Transient
        return record

    stage = Stage(task, ["long", "fails", "quick"], concurrency=3, retry=Retry(wait_min_s=2))
    stage.play()

    assert stage.starts_of(1) == pytest.approx([0, 1.1], abs=TICK_S)


def test_a_retry_that_falls_due_sooner_than_one_that_is_waited_for_is_not_late():
    async def task(record):
        attempt = len(stage.starts_of(record))
        await asyncio.sleep(0 if record == 0 else 0.1)
        if attempt == 1 and record < 2:
            raise Transient
        if record == 2:
            await asyncio.sleep(1000)

    jitters = iter([0.99, 0.01])
    stage = Stage(task, range(3), concurrency=3, retry=Retry(wait_min_s=100, wait_max_s=100),
                  jitter=lambda: next(jitters))  # fmt: skip
    stage.play()

    assert stage.starts_of(1) == pytest.approx([0, 1.1], abs=TICK_S)
    assert stage.starts_of(0) == pytest.approx([0, 99], abs=TICK_S)


def test_retries_come_before_new_records():
    task = failing(1, seqs=[0], lasts_s=1)

    stage = Stage(task, range(50), concurrency=1, retry=Retry(wait_min_s=4, wait_max_s=4))
    stage.play()

    assert stage.starts_of(0) == pytest.approx([0, 3], abs=1.1)


def test_a_retry_does_not_wait_for_a_piece_that_was_cut_when_records_were_quick():
    async def task(record):
        await asyncio.sleep(0 if record < 5000 else 1)
        if record == 5000 and len(stage.starts_of(5000)) == 1:
            raise Transient
        return record

    stage = Stage(task, range(6000), concurrency=1, retry=Retry(wait_min_s=4, wait_max_s=4))
    stage.play()

    first, second = stage.starts_of(5000)
    assert second - first < 6


def test_a_servers_wait_uses_up_no_attempt():
    task = failing(3, seqs=[0], error=lambda: RetryAfter(10))

    stage = Stage(task, [0], retry=Retry(max_attempts=2, wait_min_s=0, wait_max_s=0)).play()

    assert stage.starts_of(0) == pytest.approx([0, 10, 20, 30], abs=TICK_S)
    assert [start.attempt for start in stage.starts] == [1, 2, 3, 4]
    assert stage.results == [0]


@pytest.mark.parametrize("asked_s", [0, 0.001, 100, 1e9])
def test_a_server_cannot_put_a_record_off_for_ever(asked_s):
    task = failing(10**9, seqs=[0], error=lambda: RetryAfter(asked_s))

    stage = Stage(task, [0], retry=Retry(max_attempts=3, wait_min_s=0, wait_max_s=0))
    stage.play()

    assert stage.failed == [0]
    assert len(stage.starts) <= MAX_FREE_WAITS + 3
    assert stage.ended_at <= MAX_THROTTLED_S + 2 * min(asked_s, MAX_SERVER_WAIT_S) + 2
    assert stage.letters[0].attempts == len(stage.starts)


def test_a_servers_wait_holds_for_all_records():
    async def task(record):
        await asyncio.sleep(0.5)
        if record == 20 and len(stage.starts_of(20)) == 1:
            raise RetryAfter(60)
        return record

    stage = Stage(task, range(400), concurrency=4)
    stage.play()

    told_at = stage.starts_of(20)[0] + 0.5
    assert [s for s in stage.starts if told_at < s.at < told_at + 59.9] == []
    assert sorted(stage.results) == list(range(400))


def test_a_servers_wait_holds_for_records_that_were_given_out_when_records_were_quick():
    async def task(record):
        if record >= 3000:
            await asyncio.sleep(1)
        if record == 3000 and len(stage.starts_of(3000)) == 1:
            raise RetryAfter(60)
        return record

    stage = Stage(task, range(5000), concurrency=1)
    stage.play()

    told_at = stage.starts_of(3000)[0] + 1
    assert [s for s in stage.starts if told_at < s.at < told_at + 59.9] == []


def test_the_longest_of_several_pauses_stands():
    async def task(record):
        if record < 2 and len(stage.starts_of(record)) == 1:
            await asyncio.sleep(record * 0.1)
            raise RetryAfter([60, 5][record])
        return record

    stage = Stage(task, range(2), concurrency=2, retry=Retry(wait_min_s=0, wait_max_s=0))
    stage.play()

    assert min(start.at for start in stage.starts if start.at > 1) == pytest.approx(60, abs=TICK_S)


def test_records_in_back_off_are_bounded(monkeypatch):
    monkeypatch.setattr(pending, "MAX_WAITING", 40)
    monkeypatch.setattr(feed, "PIECE_MOST", 8)
    most = 0

    async def task(record):
        nonlocal most
        most = max(most, len(stage.parts.desk.trials))
        raise Transient

    stage = Stage(task, range(400), concurrency=4, systemic_after=0,
                  retry=Retry(max_attempts=2, wait_min_s=5, wait_max_s=5))  # fmt: skip
    stage.play()

    assert most <= 40 + 8
    assert len(stage.failed) == 400


def test_records_in_back_off_do_not_exceed_their_bound_by_a_piece(monkeypatch):
    monkeypatch.setattr(pending, "MAX_WAITING", 40)
    most = 0

    async def task(record):
        nonlocal most
        most = max(most, len(stage.parts.desk.trials))
        if record > 2000:
            raise Transient

    stage = Stage(task, range(4000), concurrency=4, systemic_after=0,
                  retry=Retry(max_attempts=2, wait_min_s=5, wait_max_s=5))  # fmt: skip
    stage.play()

    assert most <= 40 + 4
