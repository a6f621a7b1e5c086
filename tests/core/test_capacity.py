"""How a run feels its way towards what a busy service bears, decision by decision."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.core.capacity import (
    FIRST_PAUSE_S,
    MAX_DROUGHT_S,
    MAX_PAUSE_S,
    Capacity,
    State,
)

NOW = 1000.0


def busy(capacity, seq, now=NOW, *, asked_s=0.0, in_flight=50, jitter=1.0):
    return capacity.busy((seq,), asked_s, in_flight, now, jitter)


def probing(failed=0):
    """A run of 50 calls that is about to hear of its probe, after so many that failed."""
    capacity = Capacity(50)
    busy(capacity, 0)
    for n in range(failed):
        capacity.began((100 + n,))
        busy(capacity, 100 + n)
    capacity.began((99,))
    return capacity


def test_nothing_is_limited_until_the_service_is_busy():
    capacity = Capacity(50)
    capacity.served(range(1000))

    assert not capacity.limited
    assert capacity.room(0) == 50


def test_the_pauses_double_up_to_their_limit():
    capacity, pauses = Capacity(50), []
    for seq in range(12):
        busy(capacity, seq)
        pauses.append(capacity.resumes_at - NOW)
        capacity.began((seq + 1,))

    assert pauses[:4] == pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert pauses[-3:] == pytest.approx([MAX_PAUSE_S] * 3)


@given(st.floats(0, 1, exclude_max=True))
def test_a_pause_is_drawn_from_its_upper_half(jitter):
    capacity = Capacity(50)
    busy(capacity, 0, jitter=jitter)

    pause_s = capacity.resumes_at - NOW
    assert FIRST_PAUSE_S / 2 - 1e-9 <= pause_s <= FIRST_PAUSE_S + 1e-9


def test_the_calls_that_were_in_flight_when_a_pause_began_make_it_no_longer():
    capacity = Capacity(50)
    busy(capacity, 0)
    until = capacity.resumes_at

    for seq in range(1, 50):
        busy(capacity, seq, NOW + 0.01)

    assert capacity.resumes_at == until


def test_what_the_server_asks_for_is_waited_for():
    capacity = Capacity(50)
    busy(capacity, 0, asked_s=30)

    assert capacity.resumes_at == NOW + 30


def test_after_a_pause_one_call_is_made_and_no_other_until_it_is_answered():
    capacity = Capacity(50)
    busy(capacity, 0)

    assert capacity.room(in_flight=3) == 1
    capacity.began((7,))
    assert capacity.room(in_flight=4) == 0
    capacity.served((1, 2))
    assert capacity.room(in_flight=2) == 0


@pytest.mark.parametrize(("failed", "window"), [(0, 17), (1, 8), (2, 4), (9, 2)])
def test_after_a_probe_that_was_answered_calls_open_up_from_the_less_the_more_probes_failed(
    failed, window
):
    capacity = probing(failed)

    capacity.served((99,))

    assert capacity.room(0) == window


def test_calls_double_in_each_round_and_in_the_end_nothing_is_limited():
    capacity = probing(failed=9)
    capacity.served((99,))
    windows = []
    while capacity.limited:
        windows.append(capacity.room(0))
        capacity.served(range(windows[-1]))

    assert windows[:5] == [2, 4, 8, 16, 32]
    assert len(windows) < 12


def test_a_probe_that_says_nothing_of_the_service_is_followed_by_another():
    capacity = probing()
    capacity.returned((99,))

    assert capacity.state is State.PAUSED
    assert capacity.room(0) == 1


def test_a_probe_that_is_lost_leaves_nobody_waiting():
    assert probing().room(in_flight=0) == 1


def test_the_record_of_a_probe_that_failed_lets_others_go_first():
    capacity = probing()

    assert busy(capacity, 99) > capacity.resumes_at - NOW


def test_a_service_is_given_up_when_nothing_has_succeeded_for_long():
    capacity = Capacity(50)
    busy(capacity, 0)

    assert not capacity.given_up(NOW + MAX_DROUGHT_S - 1)
    assert capacity.given_up(NOW + MAX_DROUGHT_S)
    capacity.served((1,))
    assert not capacity.given_up(NOW + MAX_DROUGHT_S)


def test_only_the_same_record_running_is_suspected_of_keeping_the_service_busy():
    capacity = Capacity(50)
    for seq in (7, 7, 7):
        busy(capacity, seq, in_flight=1)

    assert capacity.busy_alone((7,)) == 4
    assert capacity.busy_alone((8,)) == 1
    busy(capacity, 8, in_flight=1)
    assert capacity.busy_alone((7,)) == 1


@given(st.lists(st.tuples(st.sampled_from(["busy", "served", "returned", "began", "ask"]),
                          st.integers(0, 5), st.integers(0, 5))))  # fmt: skip
def test_whatever_happens_a_run_with_nothing_in_flight_may_make_a_call(happens):
    capacity, now = Capacity(5), NOW
    for what, seq, in_flight in happens:
        now += 0.01
        if what == "busy":
            busy(capacity, seq, now, in_flight=in_flight)
        elif what != "ask":
            getattr(capacity, what)((seq,))

        assert capacity.room(0) >= 1
        assert capacity.room(in_flight) >= 0
        assert capacity.resumes_at <= now + MAX_PAUSE_S
