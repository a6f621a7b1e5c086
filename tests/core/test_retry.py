"""Is a failure worth another attempt, and when?"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import urllib.error
from concurrent.futures import TimeoutError as FuturesTimeout

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from batchmill.core.failures import failure_of
from batchmill.core.kinds import Kind, classify
from batchmill.core.retry import (
    MAX_BUSY_ALONE,
    MAX_FREE_WAITS,
    MAX_SERVER_WAIT_S,
    MAX_THROTTLED_S,
    Again,
    next_attempt,
    wait_s,
)
from batchmill.core.trial import Trial
from batchmill.errors import (
    ConfigError,
    InvalidRecord,
    Permanent,
    RetryAfter,
    TimedOut,
    Transient,
    UnencodableResult,
)
from batchmill.options import Retry

TRANSIENT, PERMANENT, THROTTLED = Kind.TRANSIENT, Kind.PERMANENT, Kind.THROTTLED
BUSY, EXHAUSTED = Kind.BUSY, Kind.EXHAUSTED


def library(name, *bases):
    """An exception class as a client library has it, by its full name."""
    module, _, class_name = name.rpartition(".")
    return type(class_name, bases or (Exception,), {"__module__": module})


class Answer:
    """An HTTP answer, as httpx and requests attach it to their exceptions."""

    def __init__(self, status_code, **headers):
        self.status_code = status_code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answered(name, status, **headers):
    error = library(name)()
    error.response = Answer(status, **headers)
    return error


def aiohttp_answer(status, **headers):
    names = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return aiohttp.ClientResponseError(None, (), status=status, headers=names)


def urllib_answer(status, **headers):
    message = http.client.HTTPMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://x", status, "no", message, None)


BUILTIN = [
    (ConnectionError(), TRANSIENT),
    (ConnectionResetError(), TRANSIENT),
    (ConnectionRefusedError(), TRANSIENT),
    (BrokenPipeError(), TRANSIENT),
    (TimeoutError(), TRANSIENT),
    (TimeoutError(), TRANSIENT),
    (FuturesTimeout(), TRANSIENT),
    (socket.timeout(), TRANSIENT),  # noqa: UP041
    (socket.gaierror(), TRANSIENT),
    (ValueError(), PERMANENT),
    (KeyError("x"), PERMANENT),
    (TypeError(), PERMANENT),
    (FileNotFoundError(), PERMANENT),
    (PermissionError(), PERMANENT),
    (ZeroDivisionError(), PERMANENT),
    (RecursionError(), PERMANENT),
    (SystemExit(1), PERMANENT),
    (asyncio.CancelledError(), PERMANENT),
    (ssl.SSLCertVerificationError(), PERMANENT),
]
OWN = [
    (Transient(), TRANSIENT),
    (TimedOut(), TRANSIENT),
    (Permanent(), PERMANENT),
    (InvalidRecord(), PERMANENT),
    (UnencodableResult(), PERMANENT),
    (RetryAfter(1), THROTTLED),
    (RetryAfter(0), THROTTLED),
]
LIBRARIES = [
    (aiohttp.ClientConnectionError(), TRANSIENT),
    (aiohttp.ServerDisconnectedError(), TRANSIENT),
    (aiohttp.ClientPayloadError(), TRANSIENT),
    (aiohttp.ServerTimeoutError(), TRANSIENT),
    (aiohttp.ClientOSError(), TRANSIENT),
    (aiohttp.InvalidURL("x"), PERMANENT),
    (library("httpx.ReadTimeout", library("httpx.TransportError"))(), TRANSIENT),
    (library("httpx.ConnectError", library("httpx.TransportError"))(), TRANSIENT),
    (library("httpx.InvalidURL")(), PERMANENT),
    (library("requests.exceptions.ConnectionError", OSError)(), TRANSIENT),
    (
        library("requests.exceptions.ReadTimeout", library("requests.exceptions.Timeout"))(),
        TRANSIENT,
    ),
    (library("requests.exceptions.ChunkedEncodingError")(), TRANSIENT),
    (library("requests.exceptions.InvalidURL", ValueError)(), PERMANENT),
    (library("openai.APIConnectionError")(), TRANSIENT),
    (library("psycopg.OperationalError")(), TRANSIENT),
    (library("psycopg.errors.UniqueViolation")(), PERMANENT),
    (library("redis.exceptions.ConnectionError")(), TRANSIENT),
    (http.client.RemoteDisconnected(), TRANSIENT),
    (http.client.IncompleteRead(b""), TRANSIENT),
    (urllib.error.URLError(ConnectionRefusedError()), TRANSIENT),
    (urllib.error.URLError(socket.gaierror()), TRANSIENT),
]
UNREACHABLE = [
    (OSError(101, "Network is unreachable"), TRANSIENT),
    (OSError(113, "No route to host"), TRANSIENT),
]

BROKEN = [
    (OSError(99, "Cannot assign requested address"), TRANSIENT),
    (OSError(24, "Too many open files"), TRANSIENT),
    (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), TRANSIENT),
    (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed"), TRANSIENT),
    (asyncio.IncompleteReadError(b"", 5), TRANSIENT),
    (http.client.BadStatusLine("garbage"), TRANSIENT),
    (http.client.LineTooLong("status line"), TRANSIENT),
    (http.client.InvalidURL("x"), PERMANENT),
    (library("httpx.RemoteProtocolError", library("httpx.TransportError"))(), TRANSIENT),
    (library("urllib3.exceptions.ProtocolError", library("urllib3.HTTPError"))(), TRANSIENT),
    (library("somebody.sdk.core.APIConnectionError")(), TRANSIENT),
    (library("somebody.APITimeoutError")(), TRANSIENT),
    (library("azure.core.exceptions.ServiceRequestError")(), TRANSIENT),
]


@pytest.mark.parametrize(
    ("error", "kind"),
    BUILTIN + OWN + LIBRARIES + UNREACHABLE + BROKEN,
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else each.value,
)
def test_failures_are_known_for_what_they_are(error, kind):
    assert classify(failure_of(error), Retry()) is kind


@pytest.mark.parametrize("status", range(400, 600))
@pytest.mark.parametrize("make", [aiohttp_answer, urllib_answer])
def test_an_http_status_tells_whether_it_may_pass(make, status):
    transient = status in (408, 425) or (status >= 500 and status not in (501, 505))

    kind = classify(failure_of(make(status)), Retry())

    assert kind is (BUSY if status in (429, 529) else TRANSIENT if transient else PERMANENT)


@pytest.mark.parametrize("make", [
    aiohttp_answer,
    urllib_answer,
    lambda status, **headers: answered("httpx.HTTPStatusError", status, **headers),
    lambda status, **headers: answered("requests.exceptions.HTTPError", status, **headers),
    lambda status, **headers: answered("openai.RateLimitError", status, **headers),
])  # fmt: skip
def test_a_server_that_asks_to_wait_is_heard_in_every_library(make):
    failure = failure_of(make(429, Retry_After="7"))

    assert (failure.status, failure.retry_after_s) == (429, 7)
    assert classify(failure, Retry()) is THROTTLED


@pytest.mark.parametrize("status", [403, 413, 423, 503])
def test_answers_that_say_when_to_come_back_may_pass(status):
    assert classify(failure_of(aiohttp_answer(status, Retry_After="7")), Retry()) is THROTTLED


def test_a_wait_asked_for_with_a_permanent_answer_does_not_make_it_transient():
    assert classify(failure_of(aiohttp_answer(404, Retry_After="7")), Retry()) is PERMANENT


@pytest.mark.parametrize(
    ("on", "error", "kind"),
    [
        ("all", ValueError(), TRANSIENT),
        ("all", Permanent(), PERMANENT),
        ("all", aiohttp_answer(404), TRANSIENT),
        ([ValueError], ValueError(), TRANSIENT),
        ([ValueError], UnicodeDecodeError("utf-8", b"", 0, 1, ""), TRANSIENT),
        ([ValueError], KeyError(), PERMANENT),
        ([ValueError], ConnectionError(), TRANSIENT),
        (["ValueError"], UnicodeDecodeError("utf-8", b"", 0, 1, ""), TRANSIENT),
        (["builtins.ValueError"], ValueError(), TRANSIENT),
        (["Exception"], KeyError(), TRANSIENT),
        (["aiohttp.ClientError"], aiohttp_answer(404), TRANSIENT),
        (["aiohttp.client_exceptions.ClientError"], aiohttp_answer(404), TRANSIENT),
        (["psycopg.UniqueViolation"], library("psycopg.errors.UniqueViolation")(), TRANSIENT),
        (["some.ValueError"], ValueError(), PERMANENT),
        ([Permanent], Permanent(), PERMANENT),
        ([], ConnectionError(), TRANSIENT),
        ((LookupError, "OSError"), KeyError(), TRANSIENT),
    ],
)
def test_a_job_says_what_else_is_tried_again(on, error, kind):
    assert classify(failure_of(error), Retry(on=on)) is kind


@pytest.mark.parametrize(
    "on", [ValueError, 5, None, ["ValueError", 5], [ValueError()], "ValueError"]
)
def test_what_names_no_exceptions_is_refused_when_it_is_written(on):
    with pytest.raises(ConfigError, match=r"retry\.on"):
        Retry(on=on)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_attempts": 0},
        {"wait_min_s": -1},
        {"wait_min_s": 5, "wait_max_s": 4},
        {"factor": 0.5},
        {"wait_min_s": float("nan")},
        {"factor": float("nan")},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError):
        Retry(**settings)


# The wait.


def test_the_wait_doubles_from_its_minimum_to_its_maximum():
    retry = Retry(wait_min_s=1, wait_max_s=60, factor=2)

    waits = [wait_s(attempt, retry, 1.0) for attempt in range(1, 9)]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@given(
    attempt=st.integers(1, 10**6),
    least=st.floats(0, 100),
    more=st.floats(0, 1000),
    factor=st.floats(1, 10),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_the_wait_is_drawn_between_nothing_and_its_ceiling(attempt, least, more, factor, jitter):
    retry = Retry(wait_min_s=least, wait_max_s=least + more, factor=factor)

    wait = wait_s(attempt, retry, jitter)

    assert 0 <= wait <= retry.wait_max_s
    assert wait == pytest.approx(jitter * wait_s(attempt, retry, 1.0))


# What follows.


@given(st.integers(0, 20), st.integers(1, 20))
def test_attempts_end_at_their_limit(used, most):
    verdict = next_attempt(failure_of(Transient()), Trial(used=used), Retry(max_attempts=most), 0.5)

    assert (verdict is None) == (used + 1 >= most)


def test_a_permanent_failure_is_never_tried_again():
    assert next_attempt(failure_of(ValueError()), Trial(), Retry(max_attempts=99), 0.5) is None


def test_a_wait_that_the_server_asks_for_uses_up_no_attempt_and_holds_for_all():
    trial = Trial(used=3)

    verdict = next_attempt(failure_of(RetryAfter(10)), trial, Retry(max_attempts=4), 0.0)

    assert verdict == Again(wait_s=10, pause_s=10, counts=False)


def test_a_server_may_ask_for_no_more_than_so_much():
    verdict = next_attempt(failure_of(RetryAfter(10**9)), Trial(), Retry(), 0.0)

    assert verdict.pause_s == MAX_SERVER_WAIT_S


@pytest.mark.parametrize(
    "trial", [Trial(put_off_s=MAX_THROTTLED_S), Trial(free=MAX_FREE_WAITS)], ids=["time", "number"]
)
def test_a_wait_beyond_what_is_free_is_waited_for_and_uses_up_an_attempt(trial):
    throttled, retry = failure_of(RetryAfter(10)), Retry(max_attempts=2)

    assert next_attempt(throttled, trial, retry, 0.0) == Again(10, 10, counts=True)

    trial.put_off(10, free=False)
    assert next_attempt(throttled, trial, retry, 0.0) is None


def test_one_wait_longer_than_what_is_free_is_waited_for_and_uses_up_an_attempt():
    verdict = next_attempt(failure_of(RetryAfter(MAX_THROTTLED_S + 1)), Trial(), Retry(), 0.0)

    assert verdict == Again(MAX_THROTTLED_S + 1, MAX_THROTTLED_S + 1, counts=True)


def test_back_off_is_added_to_a_servers_wait_so_that_not_all_come_back_at_once():
    verdict = next_attempt(failure_of(RetryAfter(10)), Trial(), Retry(wait_min_s=4), 0.5)

    assert (verdict.wait_s, verdict.pause_s) == (12, 10)


def test_a_busy_server_uses_up_no_attempt_and_its_pause_is_left_to_the_run():
    busy, trial = failure_of(aiohttp_answer(429)), Trial(used=3)

    verdict = next_attempt(busy, trial, Retry(max_attempts=4), 0.5, busy_alone=0)

    assert verdict == Again(0, 0, counts=False)


def test_a_server_that_is_busy_for_one_record_alone_so_often_is_so_because_of_it():
    busy, most = failure_of(aiohttp_answer(429)), MAX_BUSY_ALONE

    assert next_attempt(busy, Trial(), Retry(), 0.5, busy_alone=most - 1) is not None
    assert next_attempt(busy, Trial(), Retry(), 0.5, busy_alone=most) is None


def test_where_no_run_can_pause_a_busy_server_uses_up_attempts():
    busy = failure_of(aiohttp_answer(429))

    assert next_attempt(busy, Trial(), Retry(wait_min_s=4), 0.5) == Again(2, None, counts=True)


@pytest.mark.parametrize("error", [RetryAfter(0), aiohttp_answer(429)], ids=["0 s", "no wait"])
def test_a_server_that_puts_off_one_record_alone_for_no_time_does_so_because_of_it(error):
    failure = failure_of(error)

    assert next_attempt(failure, Trial(), Retry(), 0.5, busy_alone=MAX_BUSY_ALONE - 1) is not None
    assert next_attempt(failure, Trial(), Retry(), 0.5, busy_alone=MAX_BUSY_ALONE) is None


def test_a_wait_that_a_server_asks_of_one_record_alone_is_waited_for():
    failure = failure_of(RetryAfter(1))

    assert next_attempt(failure, Trial(), Retry(), 0.5, busy_alone=MAX_BUSY_ALONE) is not None
