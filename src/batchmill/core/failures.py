"""What does an exception say? Its HTTP status and the wait that the server asks for."""

from __future__ import annotations

import errno
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ..records import Failure

_NETWORK_ERRORS = frozenset(
    {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT}
)


def failure_of(error: BaseException, now: datetime | None = None) -> Failure:
    """The failure as a value. Reads `status`, `status_code`, `code` and `headers`, on the exception
    or on its `response`, as aiohttp, httpx, requests, urllib and the common API clients set them.

    `now` stands in for the server's clock where its answer has no Date header.
    """
    if not isinstance(error, Exception):
        return Failure.of(error)
    response = _look(error, "response")
    status = _status(error) or _status(response) or _status_of_answer(response)
    failure = Failure.of(error, status=status, retry_after_s=_retry_after(error, response, now))
    return failure._replace(lineage=failure.lineage + _also(error))


def _also(error: Exception) -> tuple[str, ...]:
    """What else an exception counts as: urllib's by the reason it carries, an OSError by its number
    where that tells of the network."""
    reason = _look(error, "reason")
    if isinstance(reason, BaseException):
        return failure_of(reason).lineage
    of_network = isinstance(error, OSError) and error.errno in _NETWORK_ERRORS
    return ("builtins.ConnectionError",) if of_network else ()


def _status(holder: Any) -> int | None:
    for name in ("status", "status_code", "code"):
        value = _look(holder, name)
        if isinstance(value, int) and 100 <= value <= 599:
            return int(value)
    return None


def _status_of_answer(response: Any) -> int | None:
    """That of botocore, whose response is a dict."""
    try:
        return int(response["ResponseMetadata"]["HTTPStatusCode"])
    except Exception:
        return None


def _retry_after(error: BaseException, response: Any, now: datetime | None) -> float | None:
    stated = _look(error, "retry_after_s")
    if isinstance(stated, int | float):
        return _usable(stated)
    for holder in (error, response):
        headers = _look(holder, "headers")
        wait_s = None if headers is None else retry_after_s(headers, now)
        if wait_s is not None:
            return wait_s
    return None


def _look(holder: Any, name: str) -> Any:
    """An attribute of somebody else's object, whose properties may raise anything."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait by `Retry-After` (RFC 9110, 10.2.3: seconds or a date), or `retry-after-ms`.

    A date counts from the answer's own `Date` header, so a wrong local clock does no harm.
    What cannot be read, is negative or not finite is None.
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
    until, sent = _date(text), _date(_header(headers, "Date"))
    if until is None:
        return None
    return max(0.0, (until - (sent or now or datetime.now(UTC))).total_seconds())


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
