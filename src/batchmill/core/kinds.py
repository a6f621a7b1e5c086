"""Kinds of failures: whether one may pass, and whose fault it is."""

from __future__ import annotations

from enum import Enum

from ..options import Retry
from ..records import Failure, Sign


class Kind(Enum):
    """What a failure says about the next attempt, the stricter the later."""

    THROTTLED = "throttled"
    """The service asks everyone to wait for so long; uses up no attempt."""
    BUSY = "busy"
    """The service is called too fast, and does not say how long to wait; uses up no attempt."""
    TRANSIENT = "transient"
    """It may pass: try again, with back-off."""
    PERMANENT = "permanent"
    """Trying again is of no use."""
    EXHAUSTED = "exhausted"
    """There is no credit or quota left: nothing will be answered until somebody pays."""


_STRICTNESS = list(Kind)

TRANSIENT_STATUS = frozenset({408, 425, 429}) | frozenset(range(500, 600)) - {501, 505}
"""HTTP answers that may be different next time. 501 and 505 will not be."""
WAITING_STATUS = frozenset({403, 413, 423})
"""HTTP answers that may be different next time if they say when: a second limit, too much at once,
a lock."""
OUTSIDE_STATUS = frozenset({401, 402, 403, 407, 429})
"""HTTP answers that tell of the caller's account, and not of the record."""

_TRANSIENT_NAMES = frozenset({
    "builtins.ConnectionError", "builtins.TimeoutError", "socket.gaierror", "socket.herror",
    "ssl.SSLEOFError", "ssl.SSLZeroReturnError", "ssl.SSLSyscallError",
    "asyncio.IncompleteReadError", "batchmill.Transient", "batchmill.TimedOut",
    "aiohttp.ClientConnectionError", "aiohttp.ClientPayloadError", "aiohttp.ServerTimeoutError",
    "aiohttp.HttpProcessingError",
    "httpx.TransportError", "httpx.DecodingError", "httpx2.TransportError",
    "httpx2.DecodingError", "httpcore.NetworkError",
    "httpcore.TimeoutException", "httpcore.ProtocolError", "httpcore.ProxyError",
    "h11.RemoteProtocolError",
    "requests.ConnectionError", "requests.Timeout", "requests.ChunkedEncodingError",
    "requests.ContentDecodingError", "requests.RetryError", "urllib3.HTTPError",
    "http.BadStatusLine", "http.IncompleteRead", "http.LineTooLong", "http.UnknownProtocol",
    "http.UnknownTransferEncoding",
    "botocore.ConnectionError", "botocore.HTTPClientError", "botocore.IncompleteReadError",
    "niquests.ConnectionError", "niquests.Timeout", "niquests.ChunkedEncodingError",
    "asyncpg.PostgresConnectionError", "psycopg.OperationalError", "sqlalchemy.OperationalError",
    "redis.ConnectionError", "redis.TimeoutError", "pymongo.ConnectionFailure", "grpc.RpcError",
    "google.TransportError", "google.RetryError", "websockets.ConnectionClosed",
    "smtplib.SMTPServerDisconnected", "smtplib.SMTPConnectError", "ftplib.error_temp",
    "imaplib.abort",
})  # fmt: skip
"""Exceptions that mean a connection, a time-out or an answer that was cut: as root package and
class name: known by name, so that no client library is imported to recognise its errors."""

_TRANSIENT_ANYWHERE = frozenset({
    "APIConnectionError", "ApiConnectionError", "APITimeoutError", "ApiTimeoutError",
    "APIConnectionTimeoutError", "ConnectionError", "ConnectError", "ConnectTimeout",
    "ConnectTimeoutError", "ReadTimeout", "ReadTimeoutError", "WriteTimeout", "PoolTimeout",
    "ConnectionTimeout", "ConnectionTimeoutError", "NoResponseError", "RemoteProtocolError",
    "RemoteDisconnected", "ServerDisconnectedError", "ServiceRequestError", "ServiceResponseError",
})  # fmt: skip
"""What generated SDKs call them, each in a package of its own."""

_WRONG = frozenset({
    "httpx.UnsupportedProtocol", "httpx.LocalProtocolError", "httpx2.UnsupportedProtocol",
    "httpx2.LocalProtocolError", "urllib3.LocationValueError", "urllib3.InvalidHeader",
    "urllib3.UnrewindableBodyError", "urllib3.BodyNotHttplibCompatible",
    "grpc.INVALID_ARGUMENT", "grpc.NOT_FOUND", "grpc.ALREADY_EXISTS", "grpc.FAILED_PRECONDITION",
    "grpc.OUT_OF_RANGE", "grpc.UNIMPLEMENTED", "grpc.DATA_LOSS",
})  # fmt: skip
"""Requests that are wrong, such as an address that is none, whose exceptions clients derive from
those of connections."""


def classify(failure: Failure, retry: Retry) -> Kind:
    """What kind of failure this is under `retry.on`. Of a group, the strictest member's."""
    kinds = [_kind_of(sign, retry) for sign in failure.members or (failure,)]
    return max(kinds, key=_STRICTNESS.index)


def lies_outside(failure: Failure) -> bool:
    """Whether the cause lies outside of the record: connections, time-outs, refused access, limits.

    What a job tries again besides (`retry.on`) says nothing of that.
    """
    return failure.status in OUTSIDE_STATUS or classify(failure, Retry()) is not Kind.PERMANENT


def asks_for_pause(failure: Failure) -> bool:
    """Whether the service asks everyone to wait, with or without saying how long."""
    return any(sign.retry_after_s is not None or bool(sign.limit)
               for sign in failure.members or (failure,))  # fmt: skip


def _kind_of(sign: Failure | Sign, retry: Retry) -> Kind:
    if "batchmill.errors.Permanent" in sign.lineage:
        return Kind.PERMANENT
    if sign.limit == "no credit":
        return Kind.EXHAUSTED
    if not _may_pass(sign, retry):
        return Kind.PERMANENT
    if sign.retry_after_s is not None:
        return Kind.THROTTLED
    return Kind.BUSY if sign.limit else Kind.TRANSIENT


def _may_pass(sign: Failure | Sign, retry: Retry) -> bool:
    return (
        retry.on == "all"
        or bool(sign.limit)
        or sign.status in TRANSIENT_STATUS
        or (sign.status in WAITING_STATUS and sign.retry_after_s is not None)
        or _is_transient(sign.lineage)
        or (
            not isinstance(retry.on, str)
            and any(_matches(wanted, sign.lineage) for wanted in retry.on)
        )
    )


def _is_transient(lineage: tuple[str, ...]) -> bool:
    short = {_short(name) for name in lineage}
    if not short.isdisjoint(_WRONG):
        return False
    anywhere = any(name.rpartition(".")[2] in _TRANSIENT_ANYWHERE for name in short)
    return anywhere or not short.isdisjoint(_TRANSIENT_NAMES)


def _short(name: str) -> str:
    root, _, rest = name.partition(".")
    return f"{root}.{rest.rpartition('.')[2] or rest}"


def _matches(wanted: str | type[BaseException], lineage: tuple[str, ...]) -> bool:
    if isinstance(wanted, type):
        return f"{wanted.__module__}.{wanted.__qualname__}" in lineage
    if "." not in wanted:
        return any(name.rpartition(".")[2] == wanted for name in lineage)
    return wanted in lineage or any(_short(name) == wanted for name in lineage)
