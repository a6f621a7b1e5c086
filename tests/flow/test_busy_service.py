"""A service that is called too fast, and does not say how fast it may be, loses no record."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque

import pytest
from stage import Stage

from batchmill.core.capacity import MAX_DROUGHT_S, MAX_PAUSE_S
from batchmill.core.retry import MAX_BUSY_ALONE
from batchmill.errors import QuotaExhausted, ServiceBusy
from batchmill.options import Retry

RATE = 200
LATENCY_S = 0.05


class TooMany(Exception):
    """429 without Retry-After."""

    status = 429


class Bucket:
    """Takes RATE a second, and `burst` at once after a quiet time."""

    def __init__(self, burst):
        self.burst = self.left = burst
        self.at = 0.0

    def takes(self, now):
        self.left = min(self.burst, self.left + (now - self.at) * RATE)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Window:
    """Takes at most RATE in any window of a second."""

    def __init__(self):
        self.taken = deque([-1.0] * RATE, maxlen=RATE)

    def takes(self, now):
        if self.taken[0] > now - 1:
            return False
        self.taken.append(now)
        return True


class Outage:
    """Takes everything but from `start` to `end`."""

    def __init__(self, start, end):
        self.start, self.end = start, end

    def takes(self, now):
        return not self.start <= now < self.end


def calling(server, items, **settings):
    """A run over a service; `stage.in_flight` notes how many calls were made at a time."""
    chance, flying = random.Random(7), 0
    answered = Counter()

    async def task(record):
        nonlocal flying
        flying += 1
        stage.in_flight.append((stage.now(), flying))
        await asyncio.sleep(LATENCY_S * (0.8 + 0.4 * chance.random()))
        flying -= 1
        if not server.takes(stage.now()):
            answered[record] += 1
            raise TooMany
        return record

    stage = Stage(task, items, jitter=chance.random, **{"concurrency": 50} | settings)
    stage.in_flight, stage.answered = [], answered
    return stage


@pytest.mark.parametrize("concurrency", [50, 100])
@pytest.mark.parametrize("server", [lambda: Bucket(20), lambda: Bucket(RATE), Window],
                         ids=["bucket of 20", "bucket of 200", "window"])  # fmt: skip
def test_a_service_that_is_called_too_fast_loses_no_record_and_is_used_well(server, concurrency):
    stage = calling(server(), range(2000), concurrency=concurrency).play()

    assert sorted(stage.results) == list(range(2000))
    assert stage.ended_at <= 2000 / RATE / 0.7
    assert max(stage.answered.values()) <= MAX_BUSY_ALONE


def test_after_an_outage_one_call_probes_and_the_others_follow_by_and_by():
    stage = calling(Outage(1, 60), range(5000)).play()

    probes = [(at, flying) for at, flying in stage.in_flight if 1.2 < at < 60]
    after = [at for at, _ in stage.in_flight if at >= 60]
    assert {flying for _, flying in probes} == {1}
    assert len(probes) < 30
    assert after[0] < 60 + MAX_PAUSE_S
    assert len([at for at in after if at < after[0] + 1]) > 50 / LATENCY_S * 0.4
    assert sorted(stage.results) == list(range(5000))


def test_an_outage_costs_a_run_of_one_call_at_a_time_no_record_either():
    stage = calling(Outage(1, 300), range(100), concurrency=1).play()

    assert sorted(stage.results) == list(range(100))


def test_a_record_for_which_alone_the_service_is_too_busy_is_a_dead_letter():
    async def task(record):
        await asyncio.sleep(LATENCY_S)
        if record == 7:
            raise TooMany
        return record

    stage = Stage(task, range(40), concurrency=8).play()

    assert stage.failed == [7]
    assert MAX_BUSY_ALONE <= stage.letters[0].attempts <= 3 * MAX_BUSY_ALONE
    assert len(stage.results) == 39


def test_a_service_that_stays_busy_ends_the_run_and_writes_no_dead_letter():
    stage = calling(Outage(1, 10**9), range(1000)).play()

    assert isinstance(stage.stop.error, ServiceBusy)
    assert stage.letters == []
    assert stage.ended_at == pytest.approx(1 + MAX_DROUGHT_S, abs=2 * MAX_PAUSE_S)


class NoCredit(Exception):
    status_code = 429
    body = {"error": {"code": None, "type": "insufficient_quota"}}  # noqa: RUF012


def test_a_quota_that_is_used_up_ends_the_run_and_writes_no_dead_letter():
    async def task(record):
        await asyncio.sleep(LATENCY_S)
        if record >= 10:
            raise NoCredit
        return record

    stage = Stage(task, range(500), concurrency=20).play()

    assert isinstance(stage.stop.error, QuotaExhausted)
    assert (sorted(stage.results), stage.letters) == (list(range(10)), [])
    assert len(stage.starts) <= 10 + 20


def test_a_pause_that_the_server_asks_for_ends_with_one_call_too():
    class Later(Exception):
        status, retry_after_s = 503, 5.0

    async def task(record):
        await asyncio.sleep(LATENCY_S)
        if stage.now() < 1:
            raise Later
        return record

    stage = Stage(task, range(200), concurrency=50, retry=Retry(wait_min_s=0, wait_max_s=0))
    stage.play()

    after = [start.at for start in stage.starts if start.at > 1]
    assert after[0] >= 5
    assert len([at for at in after if at < after[0] + LATENCY_S / 2]) == 1
    assert len(stage.results) == 200
