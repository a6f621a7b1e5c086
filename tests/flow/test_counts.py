"""Calls, attempts and retries have one source: what the task counts by itself is what is told."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from stage import Stage
from test_busy_service import TooMany
from test_together import Bulk, poisoned

from batchmill.errors import Permanent, RetryAfter, Transient
from batchmill.options import Retry

QUICK = Retry(max_attempts=4, wait_min_s=0.1, wait_max_s=0.1)


def counted(act, items=range(20), **settings):
    """Play a run whose task counts its own calls for each record; `act(record, n)` is the n-th."""
    own = Counter()

    async def task(record):
        own[record] += 1
        await asyncio.sleep(0.01)
        return await act(record, own[record])

    stage = Stage(task, items, **{"retry": QUICK, "systemic_after": 0} | settings).play()
    return stage, own


async def flaky(record, n):
    """Fails in all ways that are tried again, as often as the record says."""
    if n <= record % 5:
        raise [Transient, TooMany, lambda: RetryAfter(0.2), TimeoutError, ConnectionError][n % 5]()
    if record % 7 == 3:
        raise Permanent
    return record


async def hanging(record, n):
    if n <= record % 3:
        await asyncio.sleep(3600)
    return record


@pytest.mark.parametrize(("act", "settings"), [
    (flaky, {}), (flaky, {"concurrency": 1}), (hanging, {"timeout_s": 0.5}),
])  # fmt: skip
def test_what_is_told_is_what_the_task_counted(act, settings):
    stage, own = counted(act, **settings)
    desk = stage.parts.desk

    assert desk.called == sum(own.values())
    assert desk.retries == sum(n - 1 for n in own.values())
    assert {letter.seq: letter.attempts for letter in stage.letters} == {
        seq: own[seq] for seq in stage.failed
    }
    assert Counter(start.seq for start in stage.starts) == own
    for seq, n in own.items():
        assert [start.attempt for start in stage.starts if start.seq == seq] == [*range(1, n + 1)]


def test_a_run_that_is_stopped_tells_the_retries_that_it_made():
    own = Counter()

    async def task(record):
        own[record] += 1
        if sum(own.values()) > 30:
            stage.stop.drain("enough")
        raise Transient

    stage = Stage(task, range(20), retry=Retry(max_attempts=99), systemic_after=0)
    stage.play()

    assert stage.parts.desk.called == sum(own.values())
    assert stage.parts.desk.retries == sum(n - 1 for n in own.values())


def test_every_call_that_held_a_record_is_one_of_its_attempts():
    bulk = Bulk(poisoned(5))

    stage = Stage(bulk, range(8), batch_size=8).play()

    own = Counter(record for call in bulk.calls for record in call)
    assert {letter.seq: letter.attempts for letter in stage.letters} == {5: own[5]}
    assert stage.parts.desk.called == len(bulk.calls)
    assert stage.parts.desk.retries == sum(n - 1 for n in own.values())
