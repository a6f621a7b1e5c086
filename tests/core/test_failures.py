"""What does an exception say of the wait that the server asks for?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.core.answers import retry_after_s
from batchmill.core.failures import failure_of
from batchmill.errors import RetryAfter

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
SENT = "Sat, 21 Nov 2026 09:00:00 GMT"


def after(text, **more):
    return retry_after_s({"Retry-After": text} | more, NOW)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("7", 7), ("1.5", 1.5), (" 30 ", 30)])
def test_seconds_are_seconds(text, seconds):
    assert after(text) == seconds


def test_a_date_counts_from_the_answers_own_date():
    assert after("Sat, 21 Nov 2026 09:02:00 GMT", Date=SENT) == 120


def test_a_date_counts_from_now_where_the_answer_has_no_date_or_none_that_can_be_read():
    assert after("Sat, 21 Nov 2026 10:02:00 GMT") == 120
    assert after("Sat, 21 Nov 2026 10:02:00 GMT", Date="yesterday") == 120


def test_a_date_that_has_passed_is_no_wait():
    assert after("Sat, 21 Nov 2026 08:00:00 GMT", Date=SENT) == 0


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_zones_are_understood(zone):
    assert after(f"Sat, 21 Nov 2026 09:02:00 {zone}", Date=SENT) == 120


def test_a_zone_other_than_greenwich_is_understood():
    assert after("Sat, 21 Nov 2026 10:02:00 +0100", Date=SENT) == 120


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)), st.integers(0, 10**6))
def test_every_date_is_understood(sent, seconds):
    sent = sent.replace(microsecond=0, tzinfo=UTC)
    until = sent + timedelta(seconds=seconds)

    wait = after(format_datetime(until, usegmt=True), Date=format_datetime(sent, usegmt=True))

    assert wait == seconds


@pytest.mark.parametrize("text", [
    "", " ", "soon", "-1", "-0.5", "nan", "inf", "-inf", "infinity", "1e999", "7 s", "0x10",
    "Sat, 99 Nov 2026 09:02:00 GMT", "Sat, 21 Nov", "Sat, 21 Nov 999999 09:02:00 GMT", "\x00",
])  # fmt: skip
def test_what_cannot_be_read_is_no_wait(text):
    assert after(text) is None


@given(st.text())
def test_no_text_is_too_strange(text):
    wait = after(text)

    assert wait is None or 0 <= wait < float("inf")


@pytest.mark.parametrize("value", [7, 7.0, b"7", None, ["7"], object(), {"a": 1}, True])
def test_headers_that_are_no_text_do_no_harm(value):
    wait = after(value)

    assert wait is None or 0 <= wait <= 7


def test_milliseconds_come_first():
    headers = {"retry-after-ms": "1500", "Retry-After": "2"}

    assert retry_after_s(headers, NOW) == 1.5


@pytest.mark.parametrize("milliseconds", ["-5", "nan", "soon", ""])
def test_milliseconds_that_cannot_be_used_leave_the_seconds(milliseconds):
    headers = {"retry-after-ms": milliseconds, "Retry-After": "2"}

    assert retry_after_s(headers, NOW) == 2


@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
def test_a_plain_dict_of_headers_is_read_in_both_usual_spellings(name):
    assert retry_after_s({name: "3"}, NOW) == 3


@pytest.mark.parametrize(("wait", "seconds"), [
    (5, 5), (0, 0), (2.5, 2.5), (-1, None), (float("nan"), None), (float("inf"), None),
])  # fmt: skip
def test_a_wait_that_the_task_states_is_used_if_it_can_be(wait, seconds):
    assert failure_of(RetryAfter(wait)).retry_after_s == seconds


@pytest.mark.parametrize("code", [0, 99, 600, "503", None, 5.5, True])
def test_a_number_that_is_no_http_status_is_none(code):
    error = type("Odd", (Exception,), {"status": code})()

    assert failure_of(error).status is None


def test_the_exit_code_of_a_program_is_no_http_status():
    assert failure_of(SystemExit(500)).status is None


def test_the_exception_is_kept_with_its_kind_message_and_trace():
    with pytest.raises(KeyError) as caught:
        {}["x"]

    failure = failure_of(caught.value)

    assert failure.error is caught.value
    assert (failure.type, failure.message) == ("KeyError", "'x'")
    assert failure.lineage[:2] == ("builtins.KeyError", "builtins.LookupError")
    assert "test_the_exception_is_kept" in failure.traceback


def test_messages_are_kept_up_to_a_length():
    failure = failure_of(ValueError("x" * 10**6))

    assert len(failure.message) <= 4096
    assert len(failure.traceback) <= 4096
