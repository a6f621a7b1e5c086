"""Is it the data that fails, or the setting?"""

from __future__ import annotations

import pytest

from batchmill.core.guard import GUARDED, GUARDED_BYTES, LEAST_WINDOW, Guard, manner
from batchmill.errors import ConfigError
from batchmill.options import MIN_SAMPLE, FailureLimit
from batchmill.records import DeadLetter, Failure


def letter(seq, kind="ValueError", status=None, raw=b""):
    failure = Failure(kind, f"record {seq}", "", (f"builtins.{kind}",), status=status)
    return DeadLetter(seq, raw, failure, 1, "", "")


def failed(guard, count, kind="ValueError", status=None):
    """Fail so many records; returns the numbers of the dead letters that may be written."""
    return [out.seq for n in range(count) for out in guard.failed(letter(n, kind, status))]


def test_the_first_failures_are_held_back_until_something_else_happens():
    guard = Guard(systemic_after=20)

    assert failed(guard, 19) == []
    assert guard.alarm is None
    assert [out.seq for out in guard.succeeded()] == list(range(19))


def test_the_twentieth_in_the_same_manner_gives_the_alarm_and_releases_nothing():
    guard = Guard(systemic_after=20)

    assert failed(guard, 20) == []
    assert "first 20 records" in guard.alarm


def test_a_failure_in_another_manner_releases_all():
    guard = Guard(systemic_after=20)
    failed(guard, 5)

    assert [out.seq for out in guard.failed(letter(5, "KeyError"))] == [0, 1, 2, 3, 4, 5]
    assert failed(guard, 100) == list(range(100))
    assert guard.alarm is None


def test_the_same_kind_with_another_http_status_is_another_manner():
    assert manner(letter(0, "HTTPError", 404).failure) != manner(
        letter(0, "HTTPError", 500).failure
    )
    assert manner(letter(0).failure) == manner(letter(1).failure)


def test_after_a_success_only_refused_access_gives_an_alarm():
    guard = Guard(systemic_after=3)
    guard.succeeded()

    assert failed(guard, 50) == list(range(50))
    assert guard.alarm is None


@pytest.mark.parametrize("statuses", [(401, 401, 401), (403, 403, 403), (401, 403, 401)])
def test_access_refused_three_times_running_gives_the_alarm(statuses):
    guard = Guard()
    guard.succeeded()

    for n, status in enumerate(statuses):
        assert guard.failed(letter(n, "HTTPError", status)) == []

    assert "three times running" in guard.alarm or "3 times running" in guard.alarm


@pytest.mark.parametrize("between", ["success", "failure"])
def test_anything_between_begins_the_count_anew_and_releases(between):
    guard = Guard()
    guard.succeeded()
    guard.failed(letter(0, "HTTPError", 401))
    guard.failed(letter(1, "HTTPError", 401))

    released = guard.succeeded() if between == "success" else guard.failed(letter(2))
    guard.failed(letter(3, "HTTPError", 401))

    assert [out.seq for out in released][:2] == [0, 1]
    assert guard.alarm is None


def test_the_check_of_the_beginning_can_be_switched_off():
    guard = Guard(systemic_after=0)

    assert failed(guard, 1000) == list(range(1000))
    assert guard.alarm is None


def test_a_guard_that_watches_says_so():
    guard = Guard(systemic_after=5)
    assert guard.watching
    guard.succeeded()
    assert not guard.watching
    guard.failed(letter(0, "HTTPError", 401))
    assert guard.watching


def in_the_middle(**settings):
    """A guard of a run that has begun well."""
    guard = Guard(**settings)
    guard.succeeded()
    return guard


@pytest.mark.parametrize(("concurrency", "window"), [(1, LEAST_WINDOW), (100, 200)])
@pytest.mark.parametrize(("kind", "status"), [
    ("ConnectionError", None), ("TimeoutError", None), ("HTTPError", 429), ("HTTPError", 402),
    ("HTTPError", 500),
])  # fmt: skip
def test_a_window_of_failures_from_outside_gives_the_alarm(kind, status, concurrency, window):
    guard = in_the_middle(concurrency=concurrency)

    assert failed(guard, window - 1, kind, status) == []
    assert guard.alarm is None
    assert failed(guard, 1, kind, status) == []
    assert f"{window} records" in guard.alarm


def test_failures_of_the_data_never_give_an_alarm_once_a_run_has_begun_well():
    guard = in_the_middle()

    assert failed(guard, 10_000) == list(range(10_000))
    assert failed(guard, 10_000, "HTTPError", 404) == list(range(10_000))
    assert guard.alarm is None


@pytest.mark.parametrize("between", ["success", "failure of the data"])
def test_one_other_outcome_begins_the_window_anew_and_releases_what_was_held(between):
    guard = in_the_middle()
    failed(guard, LEAST_WINDOW - 1, "ConnectionError")

    released = guard.succeeded() if between == "success" else guard.failed(letter(99))

    assert [out.seq for out in released][: LEAST_WINDOW - 1] == list(range(LEAST_WINDOW - 1))
    assert failed(guard, LEAST_WINDOW - 1, "ConnectionError") == []
    assert guard.alarm is None


def test_the_window_can_be_switched_off():
    guard = in_the_middle(systemic_after=0)

    assert failed(guard, 1000, "ConnectionError") == list(range(1000))
    assert guard.alarm is None


def test_after_an_alarm_nothing_is_written_whatever_ends():
    guard = in_the_middle()
    failed(guard, LEAST_WINDOW, "ConnectionError")

    assert guard.succeeded() == []
    assert failed(guard, 5) == []
    assert guard.release() == []


def test_after_too_many_failures_nothing_is_written():
    guard = in_the_middle(limit=FailureLimit.parse(5))

    assert not guard.too_many(5, 100)
    assert guard.too_many(6, 100)
    assert failed(guard, 5) == []


def test_what_is_held_back_is_bounded_in_number():
    guard = Guard(systemic_after=10**6)

    written = failed(guard, 10 * GUARDED)

    assert len(guard.held) <= GUARDED
    assert len(written) + len(guard.held) == 10 * GUARDED


def test_what_is_held_back_is_bounded_in_bytes_and_the_alarm_comes_all_the_same():
    guard, raw = in_the_middle(), bytes(GUARDED_BYTES // 10)

    for seq in range(LEAST_WINDOW):
        guard.failed(letter(seq, "ConnectionError", raw=raw))
        assert sum(len(held.raw) for held in guard.held) <= GUARDED_BYTES

    assert guard.alarm


@pytest.mark.parametrize("percent", range(101))
def test_just_the_share_that_is_allowed_is_not_too_many(percent):
    limit = FailureLimit.parse(f"{percent}%")

    assert not limit.passed_by(percent, 100)
    assert not limit.passed_by(percent * 10, 1000)
    assert percent == 100 or limit.passed_by(percent + 1, 100)
    assert percent == 100 or limit.passed_by(percent * 10 + 1, 1000)


def test_a_share_means_nothing_of_a_few():
    limit = FailureLimit.parse("5%")

    assert not limit.passed_by(MIN_SAMPLE - 1, MIN_SAMPLE - 1)
    assert limit.passed_by(MIN_SAMPLE, MIN_SAMPLE)


@pytest.mark.parametrize(("value", "most"), [(0, 0), (3, 3), ("100", 100)])
def test_a_number_of_failures_is_a_number(value, most):
    limit = FailureLimit.parse(value)

    assert not limit.passed_by(most, 10**6)
    assert limit.passed_by(most + 1, most + 1)


def test_no_limit_is_never_passed():
    assert not FailureLimit.parse(None).passed_by(10**9, 10**9)


@pytest.mark.parametrize("value", [-1, "5 %%", "x", "101%", "-1%", True, 1.5, "nan%"])
def test_what_is_no_limit_is_refused(value):
    with pytest.raises(ConfigError):
        FailureLimit.parse(value)
