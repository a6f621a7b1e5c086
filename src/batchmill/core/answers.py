"""What an exception says of the answer that a service gave.

Its HTTP status, the wait that it asks for, and whether the caller is too fast or has no credit
left. Read from attributes, so that no client library is imported to understand its errors.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ..records import Limit

THROTTLES = frozenset({
    "throttling", "throttlingexception", "throttledexception", "throttled",
    "requestthrottled", "requestthrottledexception", "ec2throttledexception",
    "toomanyrequestsexception", "toomanyrequests", "too_many_requests",
    "provisionedthroughputexceededexception", "requestlimitexceeded", "bandwidthlimitexceeded",
    "limitexceededexception", "transactioninprogressexception", "priorrequestnotcomplete",
    "slowdown", "slow_down", "rate_limit_exceeded", "rate_limit_error", "rate_limited",
    "resource_exhausted", "overloaded_error", "capacity_exceeded",
})  # fmt: skip
"""Error codes, in lower case, that mean "slow down" whatever the HTTP status is (those of AWS come
with 400; the list is that of botocore's standard retry mode, and those of other services)."""

_NO_CREDIT = re.compile(
    r"\b(insufficient_quota|credit_balance_exhausted|\w*_?spend_limit_exceeded"
    r"|organization_usage_limit_exceeded)\b"
)
_SLOW_DOWN = re.compile(
    r"slow[ _-]?down|throttl|too many requests|rate.?limit|overloaded", re.IGNORECASE
)
_TOO_FAST = (429, 529)
_TIMED_OUT = frozenset({"requesttimeout", "requesttimeoutexception"})
"""Error codes of AWS that mean a time-out; they come with 400."""
_CODE_NAMES = ("code", "Code", "type", "__type", "status", "reason", "error_code", "error_type",
               "error")  # fmt: skip
_BODY_NAMES = ("body", "json_body", "error", "Error", "errors", "detail", "details", "metadata",
               "response_json", "_content")  # fmt: skip
_TEXT_NAMES = ("body", "http_body", "_content")
_MOST_DEEP = 4
_MOST_LISTED = 10
_BODY_CHARS = 1 << 16
"""Longest body that is looked into for an error code."""


def status_of(error: BaseException) -> int | None:
    """The HTTP status on the exception or on its `response`."""
    response = look(error, "response")
    return _status(error) or _status(response) or _status_of_botocore(response)


def _status(holder: Any) -> int | None:
    for name in ("status", "status_code", "http_status", "code"):
        value = look(holder, name)
        if isinstance(value, int) and 100 <= value <= 599:
            return int(value)
    return None


def _status_of_botocore(response: Any) -> int | None:
    """That of botocore, whose response is a dict."""
    try:
        return int(response["ResponseMetadata"]["HTTPStatusCode"])
    except Exception:
        return None


def look(holder: Any, name: str) -> Any:
    """An attribute, or item, of somebody else's object, whose properties may raise anything."""
    try:
        return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    except Exception:
        return None


def limit_of(error: BaseException, status: int | None) -> Limit:
    """Which limit of the service the answer speaks of."""
    codes = _all_codes(error)
    text = _text(error) if status in (429, 503) else ""
    if any(_NO_CREDIT.fullmatch(code) for code in codes) or (
        status == 429 and _NO_CREDIT.search(text)
    ):
        return "no credit"
    slow = status in _TOO_FAST or not THROTTLES.isdisjoint(codes)
    return "too fast" if slow or (status == 503 and _SLOW_DOWN.search(text)) else ""


def has_timed_out(error: BaseException) -> bool:
    """Whether the service answered, with whatever status, that the request took too long."""
    return not _TIMED_OUT.isdisjoint(_all_codes(error))


def grpc_code_of(error: BaseException) -> str | None:
    """The name of the code on an exception of gRPC, which tells it by a method."""
    if not any(kind.__module__.partition(".")[0] == "grpc" for kind in type(error).__mro__):
        return None
    try:
        return str(error.code().name)  # type: ignore[attr-defined]
    except Exception:
        return None


def _all_codes(error: BaseException) -> set[str]:
    codes = {*_codes(error, _MOST_DEEP), *_codes(look(error, "response"), _MOST_DEEP)}
    grpc = grpc_code_of(error)
    return {code.rpartition("#")[2] for code in codes} | ({grpc.lower()} if grpc else set())


def _codes(holder: Any, depth: int) -> Iterator[str]:
    """The error codes on an exception or in the body that it carries, in lower case."""
    if holder is None or not depth:
        return
    for name in _CODE_NAMES:
        code = look(holder, name)
        if isinstance(code, str):
            yield code.lower()
    for name in _BODY_NAMES:
        for body in _parsed(look(holder, name)):
            yield from _codes(body, depth - 1)


def _parsed(body: Any) -> list[Any]:
    """The objects in a body: a mapping or what an SDK made of it, JSON, or a list of such."""
    if isinstance(body, str | bytes) and len(body) <= _BODY_CHARS:
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return []
    if isinstance(body, list | tuple):
        return [each for each in body[:_MOST_LISTED] if _may_say_more(each)]
    return [body] if _may_say_more(body) else []


def _may_say_more(body: Any) -> bool:
    return body is not None and not isinstance(body, str | bytes | int | float | list | tuple)


def _text(error: BaseException) -> str:
    """What the exception says, and the body that it or its response carries, as text."""
    bodies = [look(each, name) for each in (error, look(error, "response")) for name in _TEXT_NAMES]
    try:
        return "\n".join([str(error), *(_decoded(body) for body in bodies)])[:_BODY_CHARS]
    except Exception:
        return ""


def _decoded(body: Any) -> str:
    if isinstance(body, bytes):
        return body[:_BODY_CHARS].decode("utf-8", "replace")
    return body if isinstance(body, str) else ""


def wait_asked_for(error: BaseException, now: datetime | None) -> float | None:
    """Seconds that the exception, or the answer it carries, asks to wait; None if it does not."""
    stated = look(error, "retry_after_s")
    if isinstance(stated, int | float):
        return _usable(stated)
    response = look(error, "response")
    metadata = look(response, "ResponseMetadata")
    for headers in (look(error, "headers"), look(response, "headers"),
                    look(metadata, "HTTPHeaders")):  # fmt: skip
        wait_s = None if headers is None else retry_after_s(headers, now)
        if wait_s is not None:
            return wait_s
    return None


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait by `Retry-After` (RFC 9110, 10.2.3: seconds or a date), or `retry-after-ms`.

    A date counts from the answer's own `Date` header, so a wrong local clock does no harm; from
    `now` where there is none. What cannot be read, is negative or not finite is None.
    """
    milliseconds = _number(_header(headers, "retry-after-ms"))
    if milliseconds is not None and _usable(milliseconds) is not None:
        return milliseconds / 1000
    text = _header(headers, "Retry-After")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _usable(seconds)
    until, sent = _date(text), _date(_header(headers, "Date")) or now
    return max(0.0, (until - sent).total_seconds()) if until and sent else None


def _header(headers: Mapping[str, str], name: str) -> str | None:
    try:
        text = headers.get(name) or headers.get(name.lower())
    except Exception:
        return None
    return str(text) if isinstance(text, str | int | float) else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _usable(seconds: float) -> float | None:
    return float(seconds) if math.isfinite(seconds) and seconds >= 0 else None


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date and date.tzinfo is None else date
