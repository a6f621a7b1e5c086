"""Latencies, rate and the time that is left."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.core.tally import SAMPLE, WINDOW_S, Histogram, Speed
from batchmill.report import Latency

STEP = 10 ** (1 / 20)


@given(
    st.lists(st.floats(2e-6, 1000), min_size=1, max_size=SAMPLE), st.sampled_from([0.5, 0.95, 0.99])
)
def test_a_quantile_is_right_to_one_bucket(latencies, share):
    histogram = Histogram()
    for latency in latencies:
        histogram.add([latency])

    exact = sorted(latencies)[max(1, math.ceil(share * len(latencies))) - 1]
    assert exact / 1.000001 <= histogram.quantile(share) <= exact * STEP * 1.000001


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 64, 65, 1000, 5000])
def test_a_sample_stands_for_about_as_many_as_there_were(count):
    histogram = Histogram()
    histogram.add([0.01] * count)

    assert sum(histogram._counts) == pytest.approx(count, rel=0.07)


def test_nothing_measured_is_no_time():
    histogram = Histogram()
    histogram.add([])

    assert histogram.latency == Latency(0.0, 0.0, 0.0)


@pytest.mark.parametrize("latency", [0.0, 1e-9, 1e9])
def test_no_latency_is_too_short_or_too_long(latency):
    histogram = Histogram()
    histogram.add([latency])

    assert histogram.quantile(0.5) > 0


def noted(points):
    speed = Speed()
    for at_s, done, fraction in points:
        speed.note(at_s, done, fraction)
    return speed


def test_the_rate_is_that_of_the_last_seconds():
    slow = [(float(n), n, None) for n in range(100)]
    fast = [(100.0 + n, 100 + 50 * n, None) for n in range(1, 31)]

    assert noted(slow + fast).rate_per_s == pytest.approx(50)


def test_what_earlier_runs_did_is_no_speed():
    speed = noted([(0.0, 0, 0.9), (10.0, 100, 0.91)])

    assert speed.rate_per_s == 10
    assert speed.eta_s == pytest.approx(90)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(1.0, 5, 0.5)],
        [(1.0, 5, 0.5), (1.0, 9, 0.6)],
        [(1.0, 5, None), (2.0, 6, None)],
        [(1.0, 5, 0.5), (2.0, 5, 0.5)],
    ],
)
def test_a_time_that_cannot_be_told_is_not_told(points):
    assert noted(points).eta_s is None


def test_at_the_end_no_time_is_left():
    assert noted([(0.0, 0, 0.0), (5.0, 10, 1.0)]).eta_s == 0


def test_its_memory_is_bounded_however_often_it_is_told():
    speed = noted((n / 1000, n, None) for n in range(100_000))

    assert len(speed._points) <= 1024
    assert speed.rate_per_s == pytest.approx(1000)


def test_the_window_is_about_as_long_as_it_says():
    speed = noted((n / 4, n, None) for n in range(1000))

    span_s = speed._points[-1][0] - speed._points[0][0]
    assert WINDOW_S <= span_s <= WINDOW_S + 0.5
