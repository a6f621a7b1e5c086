"""No window has more starts than the rate allows, and hardly any that is allowed is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from batchmill.core.pacing import Pacer
from batchmill.errors import ConfigError
from batchmill.options import Rate

HAIR_S = 1e-9
"""What the sums of floats may be off."""


def most_in_any_window(starts, period_s):
    most = first = 0
    for n, at in enumerate(starts):
        while at - starts[first] >= period_s - HAIR_S:
            first += 1
        most = max(most, n - first + 1)
    return most


def played(pacer, arrivals, horizon_s):
    """The starts of a caller who sleeps as long as he is told and wakes so much too late."""
    now, starts = 1000.0, []
    for late_s, wanted in arrivals:
        now += pacer.wait_s(now) + late_s
        if now > 1000.0 + horizon_s:
            break
        starts += [now] * pacer.take(wanted, now)
    return starts


arrivals = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 0.0001, 0.003, 0.02, 0.05, 0.3, 2.0, 90.0]),
        st.integers(1, 300),
    ),
    min_size=5,
    max_size=300,
)


@settings(max_examples=300)
@given(
    count=st.integers(1, 400),
    period_s=st.sampled_from([0.1, 1.0, 7.3, 60.0, 3600.0]),
    burst=st.integers(1, 400),
    arrivals=arrivals,
)
def test_no_window_has_more_starts_than_the_limit(count, period_s, burst, arrivals):
    assume(burst <= count)

    starts = played(Pacer(Rate(count, period_s), burst), arrivals, 10 * period_s)

    assert most_in_any_window(starts, period_s) <= count


@given(
    count=st.integers(1, 2000),
    period_s=st.sampled_from([1.0, 10.0, 60.0]),
    late_s=st.sampled_from([0.0, 0.0001, 0.001]),
)
def test_hardly_any_start_is_lost_to_a_caller_who_always_wants_more(count, period_s, late_s):
    assume(late_s < period_s / count * 10)
    pacer = Pacer(Rate(count, period_s))

    starts = played(pacer, [(late_s, 1000)] * 3 * count, 3 * period_s)

    assert len(starts) >= 0.97 * 3 * count - 1


def test_starts_are_spread_evenly():
    starts = played(Pacer(Rate(120, 60.0)), [(0.0, 50)] * 100, 60)

    gaps = [after - before for before, after in pairwise(starts)]
    assert min(gaps) == pytest.approx(max(gaps)) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("burst", [1, 10, 100])
def test_a_run_begins_without_a_burst(burst):
    assert Pacer(Rate(100, 60.0), burst).take(100, 1000.0) == 1


@pytest.mark.parametrize("burst", [2, 10, 50])
def test_after_a_quiet_time_as_many_may_start_at_once_as_the_burst_says(burst):
    pacer = Pacer(Rate(100, 60.0), burst)
    pacer.take(1, 1000.0)

    assert pacer.take(100, 2000.0) == burst


def test_after_a_quiet_time_no_burst_is_made_up_for_where_none_was_asked_for():
    pacer = Pacer(Rate(100, 60.0))
    pacer.take(1, 1000.0)

    assert pacer.take(100, 2000.0) == 1


def test_without_a_rate_everything_may_start():
    pacer = Pacer(None)

    assert (pacer.take(10**6, 0.0), pacer.wait_s(0.0), pacer.limited) == (10**6, 0.0, False)


@pytest.mark.parametrize("rate", [None, Rate(1000, 1.0)])
def test_nothing_starts_while_paused(rate):
    pacer = Pacer(rate)
    pacer.pause(1010.0)

    assert pacer.take(5, 1009.999) == 0
    assert pacer.wait_s(1004.0) == pytest.approx(6.0, abs=0.02)
    assert pacer.take(1, 1010.02) == 1


def test_a_shorter_pause_does_not_end_a_longer_one():
    pacer = Pacer(None)
    pacer.pause(1060.0)
    pacer.pause(1005.0)

    assert pacer.wait_s(1000.0) == 60.0


def test_what_is_asked_for_and_not_wanted_is_not_counted():
    pacer = Pacer(Rate(10, 10.0))

    assert pacer.take(0, 1000.0) == 0
    assert pacer.take(1, 1000.0) == 1


@settings(max_examples=200)
@given(
    count=st.integers(1, 100),
    period_s=st.sampled_from([0.1, 1.0, 60.0]),
    burst=st.integers(1, 100),
    runs=st.lists(st.tuples(st.integers(1, 150), st.floats(0, 3)), min_size=2, max_size=8),
)
def test_no_window_has_more_starts_than_the_limit_over_several_runs(count, period_s, burst, runs):
    assume(burst <= count)
    now, starts, state, ended_at = 1000.0, [], 0.0, 1000.0
    for wanted, gap in runs:
        pacer = Pacer(Rate(count, period_s), burst)
        now += gap * period_s / count
        pacer.resume(state - (now - ended_at), now)
        for _ in range(wanted):
            now += pacer.wait_s(now)
            starts += [now] * pacer.take(1, now)
        state, ended_at = pacer.state(now), now

    assert most_in_any_window(starts, period_s) <= count


@pytest.mark.parametrize("burst", [1, 10])
@pytest.mark.parametrize("ahead_s", [float("inf"), 10.0**9])
def test_after_a_run_that_was_killed_the_first_start_waits_as_if_a_call_had_just_begun(
    burst, ahead_s
):
    pacer, began = Pacer(Rate(100, 10.0), burst), Pacer(Rate(100, 10.0), burst)
    began.take(1, 1000.0)

    pacer.resume(ahead_s, 1000.0)

    assert pacer.wait_s(1000.0) == pytest.approx(began.wait_s(1000.0))
    assert pacer.take(1, 1000.0) == 0


@pytest.mark.parametrize("ahead_s", [0.0, -5.0, -(10.0**9)])
def test_after_a_long_time_a_run_begins_as_if_it_were_the_first(ahead_s):
    pacer, first = Pacer(Rate(100, 10.0), 10), Pacer(Rate(100, 10.0), 10)

    pacer.resume(ahead_s, 1000.0)

    assert pacer.take(100, 1000.0) == first.take(100, 1000.0) == 1
    assert pacer.wait_s(1000.0) == pytest.approx(first.wait_s(1000.0))


def test_the_state_of_a_pacer_fades_as_time_goes_by():
    pacer = Pacer(Rate(10, 10.0))
    assert pacer.state(1000.0) == 0.0

    pacer.take(1, 1000.0)

    assert pacer.state(1000.0) == pytest.approx(1.1, abs=0.1)
    assert pacer.state(1000.5) == pytest.approx(pacer.state(1000.0) - 0.5)
    assert pacer.state(2000.0) == 0.0
    assert Pacer(None).state(1000.0) == 0.0


@pytest.mark.parametrize(
    ("text", "count", "period_s"),
    [
        ("120/min", 120, 60),
        ("5/s", 5, 1),
        ("1000/hour", 1000, 3600),
        ("10/30s", 10, 30),
        ("10/0.5s", 10, 0.5),
        (" 7 / 2 mins ", 7, 120),
        ("3/DAY", 3, 86400),
        ("9/2hours", 9, 7200),
        ("5/100ms", 5, 0.1),
    ],
)
def test_rates_are_read_as_they_are_written(text, count, period_s):
    rate = Rate.parse(text)

    assert (rate.count, rate.period_s) == (count, pytest.approx(period_s))


@pytest.mark.parametrize(
    "text",
    ["", "5", "5/", "/s", "0/s", "-1/s", "5/0s", "5/x", "1e3/s", "5/.s", "5 per s", "5/s/s",
     "5.5/s", "5/us", "5/month", 5, None],
)  # fmt: skip
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ConfigError):
        Rate.parse(text)
