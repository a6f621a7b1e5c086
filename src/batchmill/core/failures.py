"""What does an exception say, with all that it wraps?"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from datetime import datetime

from ..records import Failure, Sign
from .answers import grpc_code_of, has_timed_out, limit_of, look, status_of, wait_asked_for

MOST_DEEP = 20
"""How far a chain of causes, or groups within groups, is followed."""
MOST_SEEN = 1000
"""How many exceptions of one failure are looked at."""

_NETWORK_ERRORS = frozenset({
    errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ETIMEDOUT, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.ENOTCONN, errno.EPROTO,
    errno.EAGAIN, errno.ENOBUFS, errno.EMFILE, errno.ENFILE,
})  # fmt: skip
"""Numbers of an OSError that tell of the network, or of too many connections at a time."""

_TLS_BROKEN = frozenset({
    "UNEXPECTED_EOF_WHILE_READING", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "BAD_RECORD_MAC",
    "SSLV3_ALERT_BAD_RECORD_MAC", "TLSV1_ALERT_INTERNAL_ERROR", "RECORD_LAYER_FAILURE",
    "APPLICATION_DATA_AFTER_CLOSE_NOTIFY",
})  # fmt: skip
"""Reasons of an SSLError that tell of a connection that broke, and not of a certificate."""

_SPEAK_FOR_THEMSELVES = frozenset({
    "batchmill.errors.Permanent", "batchmill.errors.Transient", "batchmill.errors.RecordError",
    "batchmill.errors.BatchmillError",
})  # fmt: skip
_MISTAKES = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError,
             SyntaxError, TypeError, ValueError)  # fmt: skip
_SEVERAL = "Multiple exceptions: "
"""How asyncio begins when it could connect to none of a host's addresses, for a reason each; such
an OSError has no number."""
_NO_ANSWER = "aiohttp.http_exceptions.HttpProcessingError"
"""What aiohttp raises for something that is not HTTP; it then makes up a status."""


def failure_of(error: BaseException, now: datetime | None = None) -> Failure:
    """The failure as a value: of which classes the exception is, and what the service answered.

    An exception that says nothing by itself counts as what it was raised from (`__cause__`), or,
    unless it is a programming mistake, as what was being handled when it was raised
    (`__context__`). A group has one member for each exception in it; where that is one, the group
    counts as that. `now` stands in for the server's clock where its answer has no Date header;
    without it such a date is no wait.
    """
    failure = Failure.of(error)
    if not isinstance(error, Exception):
        return failure
    signs = _signs(error, now, set(), MOST_DEEP)
    if len(signs) == 1:
        return failure._replace(**signs[0]._asdict())
    statuses = {sign.status for sign in signs}
    waits = [sign.retry_after_s for sign in signs if sign.retry_after_s is not None]
    return failure._replace(
        members=tuple(signs),
        status=statuses.pop() if len(statuses) == 1 else None,
        retry_after_s=max(waits, default=None),
    )


def _signs(error: BaseException, now: datetime | None, seen: set[int], depth: int) -> list[Sign]:
    """One sign for each way from the exception to what lies at the bottom of it."""
    if id(error) in seen or len(seen) >= MOST_SEEN or not depth:
        return []
    seen.add(id(error))
    own = _own(error, now)
    behind = [sign for each in _behind(error, own) for sign in _signs(each, now, seen, depth - 1)]
    return [_joined(own, sign) for sign in behind] or [own]


def _own(error: BaseException, now: datetime | None) -> Sign:
    """What the exception says by itself."""
    status = None if _is_no_answer(error.__cause__) else status_of(error)
    lineage = _names(error) + _names_besides(error)
    return Sign(lineage, status, wait_asked_for(error, now), limit_of(error, status))


def _names(error: BaseException) -> tuple[str, ...]:
    return tuple(f"{c.__module__}.{c.__qualname__}" for c in type(error).__mro__)


def _names_besides(error: BaseException) -> tuple[str, ...]:
    """What its class does not say, as the name of one that would."""
    if _is_of_network(error):
        return ("builtins.ConnectionError",)
    if has_timed_out(error):
        return ("builtins.TimeoutError",)
    grpc = grpc_code_of(error)
    return (f"grpc.{grpc}",) if grpc else ()


def _is_no_answer(error: BaseException | None) -> bool:
    return error is not None and _NO_ANSWER in _names(error)


def _is_of_network(error: BaseException) -> bool:
    if not isinstance(error, OSError):
        return False
    reason = look(error, "reason")
    return (
        error.errno in _NETWORK_ERRORS
        or (isinstance(reason, str) and reason in _TLS_BROKEN)
        or (type(error) is OSError and str(error).startswith(_SEVERAL))
    )


def _behind(error: BaseException, own: Sign) -> Sequence[BaseException]:
    """The exceptions that this one stands for."""
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions
    if own.status is not None or own.limit or not _SPEAK_FOR_THEMSELVES.isdisjoint(own.lineage):
        return ()
    reason = look(error, "reason")
    cause = reason if isinstance(reason, BaseException) else error.__cause__
    if cause is None and not error.__suppress_context__ and not _is_mistake(error):
        cause = error.__context__
    return () if cause is None else (cause,)


def _is_mistake(error: BaseException) -> bool:
    """Whether it was raised by Python itself, most probably, and not by who handled another one."""
    return isinstance(error, _MISTAKES) and type(error).__module__ == "builtins"


def _joined(own: Sign, behind: Sign) -> Sign:
    """What both say: the outer one first."""
    wait_s = behind.retry_after_s if own.retry_after_s is None else own.retry_after_s
    status = behind.status if own.status is None else own.status
    return Sign(own.lineage + behind.lineage, status, wait_s, own.limit or behind.limit)
