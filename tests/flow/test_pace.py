"""A rate is kept over every window, and used up, by new records and retries together."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from stage import LateLoop, Stage

from batchmill.errors import RetryAfter, Transient
from batchmill.options import Retry


def most_in_any_window(starts, period_s):
    """The most starts in any window of `period_s` seconds, its end (and a nanosecond) left out."""
    most = first = 0
    for n, at in enumerate(starts):
        while at - starts[first] >= period_s - 1e-9:
            first += 1
        most = max(most, n - first + 1)
    return most


def paced(rate, seconds, per_s, *, fails=lambda record: False, lasts_s=0.02, **settings):
    """A run at `rate` that has more to do than fits into `seconds`; its starts until then."""
    tried = Counter()

    async def task(record):
        await asyncio.sleep(lasts_s)
        tried[record] += 1
        if tried[record] == 1 and fails(record):
            raise Transient
        return record

    stage = Stage(task, range(int(per_s * seconds * 1.2) + 10), rate=rate, commit_every_s=5.0,
                  **({"concurrency": 50} | settings))  # fmt: skip
    stage.play()
    return stage, sorted(start.at for start in stage.starts if start.at < seconds)


RATES = [
    ("120/min", 60, 2),
    ("50/s", 60, 50),
    ("1000/s", 10, 1000),
    ("7/s", 60, 7),
    ("30/10s", 60, 3),
]
PERIODS = {"120/min": 60, "50/s": 1, "1000/s": 1, "7/s": 1, "30/10s": 10}


@pytest.mark.parametrize(("rate", "seconds", "per_s"), RATES)
def test_no_window_has_more_starts_than_the_limit_and_nearly_all_are_used(rate, seconds, per_s):
    stage, starts = paced(rate, seconds, per_s)

    limit = per_s * PERIODS[rate]
    assert most_in_any_window(starts, PERIODS[rate]) <= limit
    assert len(starts) >= 0.97 * per_s * seconds
    assert stage.error is None


@pytest.mark.parametrize(("rate", "seconds", "per_s"), RATES)
def test_retries_are_paced_like_everything_else(rate, seconds, per_s):
    stage, starts = paced(rate, seconds, per_s, fails=lambda record: record % 10 == 3,
                          retry=Retry(wait_min_s=0.5, wait_max_s=0.5))  # fmt: skip

    assert most_in_any_window(starts, PERIODS[rate]) <= per_s * PERIODS[rate]
    assert len(starts) >= 0.97 * per_s * seconds
    assert stage.failed == []


@pytest.mark.parametrize(("rate", "seconds", "per_s"), RATES)
def test_timers_that_are_late_cost_no_starts_and_let_none_slip_through(rate, seconds, per_s):
    stage, starts = paced(rate, seconds, per_s, fails=lambda record: record % 5 == 3,
                          loop=LateLoop, retry=Retry(wait_min_s=0.5, wait_max_s=0.5))  # fmt: skip

    assert most_in_any_window(starts, PERIODS[rate]) <= per_s * PERIODS[rate]
    assert len(starts) >= 0.97 * per_s * seconds
    assert stage.failed == []


def test_retries_that_fall_due_together_do_not_burst():
    stage, _ = paced("20/s", 5, 20, fails=lambda record: record < 50,
                     retry=Retry(wait_min_s=4, wait_max_s=4))  # fmt: skip

    starts = sorted(start.at for start in stage.starts)
    assert most_in_any_window(starts, 1) <= 20


def test_starts_are_spread_evenly_from_the_first():
    _, starts = paced("10/s", 10, 10)

    gaps = [after - before for before, after in pairwise(starts)]
    assert starts[0] < 0.02
    assert min(gaps) >= 0.09
    assert max(gaps) <= 0.12


def test_a_burst_is_allowed_where_it_is_asked_for_and_the_window_still_holds():
    quiet = asyncio.Event()

    async def task(record):
        if record == 0:
            await asyncio.sleep(30)
            quiet.set()
        else:
            await quiet.wait()

    stage = Stage(task, range(60), concurrency=30, rate="20/s", burst=10).play()

    starts = sorted(start.at for start in stage.starts)
    quiet_at = starts[0] + 30
    assert most_in_any_window(starts, 1) <= 20
    assert len([at for at in starts if quiet_at - 0.001 <= at < quiet_at + 0.001]) == 10


def test_a_run_begins_without_a_burst_even_where_bursts_are_allowed():
    _, starts = paced("20/s", 5, 20, burst=10)

    assert len([at for at in starts if at < 0.05]) <= 2


def test_slow_calls_are_not_made_up_for_by_a_burst():
    _, starts = paced("10/s", 20, 10, lasts_s=0.35, concurrency=2)

    assert most_in_any_window(starts, 1) <= 10
    assert len(starts) == pytest.approx(20 / 0.35 * 2, rel=0.05)


def test_a_pause_that_the_server_asks_for_stops_a_paced_run_and_is_not_made_up_for():
    async def task(record):
        if record == 50 and len(stage.starts_of(50)) == 1:
            raise RetryAfter(7)

    stage = Stage(task, range(150), concurrency=10, rate="10/s")
    stage.play()

    told_at = stage.starts_of(50)[0]
    starts = sorted(start.at for start in stage.starts)
    assert [at for at in starts if told_at < at < told_at + 6.9] == []
    assert most_in_any_window(starts, 1) <= 10


def test_without_a_rate_nothing_waits():
    async def task(record):
        return record

    stage = Stage(task, range(10_000)).play()

    assert stage.ended_at == 0
    assert len(stage.results) == 10_000
