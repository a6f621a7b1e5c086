"""What does an exception say of the wait that the server asks for, and what does it wrap?"""

from __future__ import annotations

import asyncio
import errno
import http.client
import imaplib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import aiohttp
import httpx2
import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from batchmill.core.answers import retry_after_s
from batchmill.core.failures import failure_of
from batchmill.core.kinds import Kind, classify, lies_outside
from batchmill.errors import InvalidRecord, Permanent, RetryAfter
from batchmill.options import Retry

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


# What exceptions wrap.


class Answered(Exception):
    def __init__(self, status, **attributes):
        super().__init__(f"HTTP {status}")
        self.status = status
        vars(self).update(attributes)


class SdkError(Exception):
    """Says nothing by itself."""


class Refused(ValueError):
    """An exception of a task's own, which is no mistake of Python's."""


def kind_of(error, on="transient"):
    return classify(failure_of(error, NOW), Retry(on=on))


def caused(error, cause):
    """`raise error from cause`"""
    error.__cause__ = cause
    return error


def during(error, context):
    """`raise error` in `except context`"""
    error.__context__ = context
    return error


RESET = ConnectionResetError()


@pytest.mark.parametrize(("members", "kind"), [
    ([RESET], Kind.TRANSIENT),
    ([RESET, TimeoutError(), Answered(503)], Kind.TRANSIENT),
    ([RESET, ValueError()], Kind.PERMANENT),
    ([ValueError()], Kind.PERMANENT),
    ([RESET, ExceptionGroup("", [TimeoutError()])], Kind.TRANSIENT),
    ([RESET, ExceptionGroup("", [TimeoutError(), Answered(404)])], Kind.PERMANENT),
    ([Answered(429), Answered(429)], Kind.BUSY),
    ([Answered(429), RESET], Kind.TRANSIENT),
    ([RetryAfter(5), RetryAfter(7)], Kind.THROTTLED),
    ([RetryAfter(5), Permanent()], Kind.PERMANENT),
    ([Answered(429, code="insufficient_quota"), RESET], Kind.EXHAUSTED),
])  # fmt: skip
def test_the_strictest_member_of_a_group_decides(members, kind):
    assert kind_of(ExceptionGroup("", members)) is kind


def test_a_group_waits_as_long_as_the_one_that_asks_for_most():
    assert failure_of(ExceptionGroup("", [RetryAfter(5), RetryAfter(7)])).retry_after_s == 7


def test_a_job_may_name_what_is_in_a_group_and_the_group():
    group = ExceptionGroup("", [KeyError(), RESET])

    assert kind_of(group, on=[KeyError]) is Kind.TRANSIENT
    assert kind_of(group, on=["ExceptionGroup"]) is Kind.TRANSIENT
    assert kind_of(group, on=[IndexError]) is Kind.PERMANENT


@pytest.mark.parametrize(("error", "kind"), [
    (caused(SdkError(), RESET), Kind.TRANSIENT),
    (caused(SdkError(), caused(SdkError(), Answered(503))), Kind.TRANSIENT),
    (caused(SdkError(), Answered(404)), Kind.PERMANENT),
    (caused(SdkError(), RetryAfter(5)), Kind.THROTTLED),
    (caused(SdkError(), ExceptionGroup("", [RESET, ValueError()])), Kind.PERMANENT),
    (caused(ValueError(), RESET), Kind.TRANSIENT),
    (during(SdkError(), RESET), Kind.TRANSIENT),
    (during(RuntimeError(), RESET), Kind.TRANSIENT),
    (during(Refused(), RESET), Kind.TRANSIENT),
    (during(KeyError(), RESET), Kind.PERMANENT),
    (during(TypeError(), RESET), Kind.PERMANENT),
    (caused(Answered(404), RESET), Kind.PERMANENT),
    (caused(Permanent(), RESET), Kind.PERMANENT),
    (caused(InvalidRecord(), RESET), Kind.PERMANENT),
])  # fmt: skip
def test_what_says_nothing_by_itself_counts_as_what_it_wraps(error, kind):
    assert kind_of(error) is kind


def test_what_was_raised_from_none_wraps_nothing():
    error = during(SdkError(), RESET)
    error.__suppress_context__ = True

    assert kind_of(error) is Kind.PERMANENT


def test_status_and_wait_are_those_of_what_is_wrapped():
    failure = failure_of(caused(SdkError(), Answered(503, headers={"Retry-After": "7"})))

    assert (failure.type, failure.status, failure.retry_after_s) == ("SdkError", 503, 7)


def test_chains_that_bite_their_tails_or_are_very_long_have_an_end():
    first, second = SdkError(), SdkError()
    first.__cause__, second.__cause__ = second, first
    assert kind_of(first) is Kind.PERMANENT

    long = RESET
    for _ in range(5000):
        long = caused(SdkError(), long)
    assert kind_of(long) is Kind.PERMANENT


def test_an_error_in_a_task_group_counts_as_what_it_is():
    async def answer():
        raise aiohttp.ServerDisconnectedError

    async def task():
        async with asyncio.TaskGroup() as group:
            group.create_task(answer())

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(task())

    assert kind_of(caught.value) is Kind.TRANSIENT


@pytest.mark.parametrize("bytes_", [
    b"garbage\r\n\r\n",
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
    b"",
])  # fmt: skip
@pytest.mark.parametrize("client", ["aiohttp", "http.client"])
def test_what_is_not_http_or_was_cut_may_pass(bytes_, client):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(bytes_)
        writer.close()

    async def get(port):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/") as answer,
        ):
            await answer.read()

    def get_plainly(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        connection.getresponse().read()

    async def scenario():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            if client == "aiohttp":
                await get(port)
            else:
                await asyncio.to_thread(get_plainly, port)

    with pytest.raises((aiohttp.ClientError, http.client.HTTPException)) as caught:
        asyncio.run(scenario())

    assert kind_of(caught.value) is Kind.TRANSIENT


def named(module, name, **attributes):
    """An exception of a library that need not be installed."""
    return type(name, (Exception,), {"__module__": module, **attributes})("")


@pytest.mark.parametrize("number", [errno.EADDRINUSE, errno.ENOTCONN, errno.EPROTO, errno.EAGAIN])
def test_numbers_that_tell_of_the_network_may_pass(number):
    assert kind_of(OSError(number, "")) is Kind.TRANSIENT


def test_a_host_none_of_whose_addresses_answers_may_pass():
    text = "[Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect call failed ('1.1', 1)"

    assert kind_of(OSError(f"Multiple exceptions: {text}")) is Kind.TRANSIENT
    assert kind_of(OSError(text)) is Kind.PERMANENT


@pytest.mark.parametrize("error", [
    named("acme.errors", "ApiTimeoutError"), named("acme", "ReadTimeoutError"),
    named("httpx2", "TransportError"), named("smtplib", "SMTPServerDisconnected"),
    imaplib.IMAP4.abort(),
])  # fmt: skip
def test_connections_are_known_by_what_libraries_call_them(error):
    assert kind_of(error) is Kind.TRANSIENT


def get_with_httpx2(address):
    with httpx2.Client() as client:
        client.get(address)


@pytest.mark.parametrize(
    "address", ["foo://nowhere.example/x", "ftp://nowhere.example", "http://[::1"]
)
@pytest.mark.parametrize("get", [
    get_with_httpx2, requests.get, lambda address: urllib3.request("GET", address, retries=False),
], ids=["httpx2", "requests", "urllib3"])  # fmt: skip
def test_an_address_that_is_none_is_the_fault_of_the_record(get, address):
    if (get, address) == (get_with_httpx2, "http://[::1"):
        pytest.skip("derived from no connection error")
    with pytest.raises(
        (httpx2.HTTPError, requests.RequestException, urllib3.exceptions.HTTPError)
    ) as caught:
        get(address)

    failure = failure_of(caught.value)
    assert classify(failure, Retry()) is Kind.PERMANENT
    assert not lies_outside(failure)


@pytest.mark.parametrize(("code", "kind"), [
    ("INVALID_ARGUMENT", Kind.PERMANENT), ("NOT_FOUND", Kind.PERMANENT),
    ("UNAVAILABLE", Kind.TRANSIENT), ("RESOURCE_EXHAUSTED", Kind.BUSY),
])  # fmt: skip
def test_errors_of_grpc_are_known_by_their_code(code, kind):
    told = SimpleNamespace(name=code)

    assert kind_of(named("grpc", "RpcError", code=lambda _: told)) is kind


# What services say of limits.


def response(content):
    """As httpx and requests have it."""
    return SimpleNamespace(_content=content)


def client_error(code, status=400):
    """As botocore has it."""
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return type("ClientError", (Exception,), {"response": answer})()


@pytest.mark.parametrize("code", [
    "ThrottlingException", "ProvisionedThroughputExceededException", "TooManyRequestsException",
    "Throttling", "RequestLimitExceeded", "SlowDown",
])  # fmt: skip
def test_throttling_is_known_by_its_code_whatever_the_status(code):
    assert kind_of(client_error(code)) is Kind.BUSY


def test_a_time_out_is_known_by_its_code_whatever_the_status():
    assert kind_of(client_error("RequestTimeout")) is Kind.TRANSIENT


def test_another_code_with_the_same_status_is_permanent():
    assert kind_of(client_error("ValidationException")) is Kind.PERMANENT


@pytest.mark.parametrize(("error", "kind"), [
    (Answered(429), Kind.BUSY),
    (Answered(529), Kind.BUSY),
    (Answered(503), Kind.TRANSIENT),
    (Answered(503, type="slow_down"), Kind.BUSY),
    (type("Overloaded", (Exception,), {"status": 503})("The model is overloaded"), Kind.BUSY),
    (Answered(503, headers={"Retry-After": "3"}, type="slow_down"), Kind.THROTTLED),
    (Answered(503, body="Please reduce your request rate: Slow Down"), Kind.BUSY),
    (Answered(503, response=response(b"<Error><Code>SlowDown</Code></Error>")), Kind.BUSY),
    (Answered(400, body={"__type": "com.amazonaws#ThrottlingException"}), Kind.BUSY),
])  # fmt: skip
def test_a_service_that_says_slow_down_is_busy(error, kind):
    assert kind_of(error) is kind


@pytest.mark.parametrize("attributes", [
    {"code": "insufficient_quota"},
    {"type": "insufficient_quota"},
    {"body": {"type": "error", "error": {"type": "credit_balance_exhausted"}}},
    {"body": {"code": "project_spend_limit_exceeded"}},
    {"body": '{"error": {"code": "organization_usage_limit_exceeded"}}'},
    {"response": response(b'{"error": {"code": "insufficient_quota"}}')},
    {"response": response(b'{"errors": [{"code": "insufficient_quota"}]}')},
    {"response": response(b'{"error": "insufficient_quota"}')},
    {"body": {"detail": {"reason": "team_spend_limit_exceeded"}}},
    {"error": SimpleNamespace(code="insufficient_quota")},
    {"json_body": {"error": {"code": "insufficient_quota"}}},
])  # fmt: skip
def test_a_quota_that_is_used_up_is_known_by_its_code(attributes):
    assert kind_of(Answered(429, **attributes)) is Kind.EXHAUSTED


def test_a_quota_that_is_used_up_is_known_by_what_the_message_quotes():
    error = type("RateLimitError", (Exception,), {"status_code": 429})

    assert kind_of(error("429 - {'error': {'type': 'insufficient_quota'}}")) is Kind.EXHAUSTED
    assert kind_of(error("429 - {'error': {'type': 'tokens'}}")) is Kind.BUSY


@pytest.mark.parametrize("body", [
    {"error": [1, None, {"type": 5}]}, "{", b"[" * 10**5, {"error": "x" * 10**6}, 7, object(),
])  # fmt: skip
def test_bodies_that_are_strange_do_no_harm(body):
    assert kind_of(Answered(400, body=body)) is Kind.PERMANENT
