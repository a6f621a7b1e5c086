"""Is a failure worth another attempt, and when?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..options import Retry
from ..records import Failure


class Kind(Enum):
    """What a failure says about the next attempt."""

    TRANSIENT = "transient"
    """It may pass: try again, with back-off."""
    THROTTLED = "throttled"
    """The server asks everyone to wait; uses up no attempt."""
    PERMANENT = "permanent"
    """Trying again is of no use."""


TRANSIENT_STATUS = frozenset({408, 425, 429}) | frozenset(range(500, 600)) - {501, 505}
"""HTTP answers that may be different next time. 501 and 505 will not be."""

_TRANSIENT_NAMES = frozenset({
    "builtins.ConnectionError", "builtins.TimeoutError", "socket.gaierror",
    "batchmill.Transient", "batchmill.TimedOut",
    "aiohttp.ClientConnectionError", "aiohttp.ClientPayloadError", "aiohttp.ServerTimeoutError",
    "httpx.TransportError", "httpcore.NetworkError", "httpcore.TimeoutException",
    "requests.ConnectionError", "requests.Timeout", "requests.ChunkedEncodingError",
    "urllib3.HTTPError", "http.RemoteDisconnected", "http.IncompleteRead",
    "botocore.ConnectionError", "botocore.HTTPClientError", "openai.APIConnectionError",
    "anthropic.APIConnectionError", "niquests.ConnectionError", "niquests.Timeout",
    "asyncpg.PostgresConnectionError", "psycopg.OperationalError", "sqlalchemy.OperationalError",
    "redis.ConnectionError", "redis.TimeoutError", "grpc.RpcError",
})  # fmt: skip
"""Exceptions that mean a connection or a time-out, as root package and class name: known by name,
so that no client library is imported to recognise its errors."""

MAX_DEATHS = 3
"""How many processes may die while they call one record, before it is known that it is the record:
one may have been killed from outside, or by what another record left behind."""

MAX_SERVER_WAIT_S = 600.0
"""Longest pause that a server may ask for; what is above is cut to it."""

MAX_THROTTLED_S = 900.0
"""How long one record may be put off by the server before the waits use up its attempts."""


def classify(failure: Failure, retry: Retry) -> Kind:
    """What kind of failure this is under `retry.on`."""
    if "batchmill.errors.Permanent" in failure.lineage:
        return Kind.PERMANENT
    transient = (
        retry.on == "all"
        or _transient_status(failure)
        or any(_short(name) in _TRANSIENT_NAMES for name in failure.lineage)
        or (
            not isinstance(retry.on, str)
            and any(_matches(wanted, failure.lineage) for wanted in retry.on)
        )
    )
    if not transient:
        return Kind.PERMANENT
    return Kind.TRANSIENT if failure.retry_after_s is None else Kind.THROTTLED


def _transient_status(failure: Failure) -> bool:
    return failure.status in TRANSIENT_STATUS


def _short(name: str) -> str:
    root, _, rest = name.partition(".")
    return f"{root}.{rest.rpartition('.')[2] or rest}"


def _matches(wanted: str | type[BaseException], lineage: tuple[str, ...]) -> bool:
    if isinstance(wanted, type):
        return f"{wanted.__module__}.{wanted.__qualname__}" in lineage
    if "." not in wanted:
        return any(name.rpartition(".")[2] == wanted for name in lineage)
    return wanted in lineage or any(_short(name) == wanted for name in lineage)


def wait_s(attempt: int, retry: Retry, jitter: float) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): full jitter.

    jitter * min(wait_max_s, wait_min_s * factor ** (attempt - 1)), with `jitter` drawn evenly from
    [0, 1).
    """
    try:
        ceiling = retry.wait_min_s * retry.factor ** (attempt - 1)
    except OverflowError:
        ceiling = retry.wait_max_s
    return jitter * min(retry.wait_max_s, ceiling)


@dataclass(frozen=True, slots=True)
class Again:
    """The verdict: try again `wait_s` seconds from now."""

    wait_s: float
    pause_s: float = 0.0
    """How long nobody may start a call, because the server said so."""
    counts: bool = True
    """Whether the failed attempt is used up."""


def next_attempt(
    failure: Failure, attempts: int, throttled_s: float, retry: Retry, jitter: float
) -> Again | None:
    """What follows a failure after `attempts` attempts, this one included: Again, or None for good.

    `throttled_s` is how long the server has put this record off so far.
    """
    kind = classify(failure, retry)
    if kind is Kind.PERMANENT:
        return None
    back_off_s = wait_s(attempts, retry, jitter)
    if kind is Kind.THROTTLED and throttled_s < MAX_THROTTLED_S:
        pause_s = min(failure.retry_after_s or 0.0, MAX_SERVER_WAIT_S)
        return Again(pause_s + back_off_s, pause_s, counts=False)
    if attempts >= retry.max_attempts:
        return None
    return Again(back_off_s)


def call_after_deaths(deaths: int) -> bool:
    """Whether to call a record once more after so many processes died while they called it."""
    return deaths < MAX_DEATHS


def may_be_parted(failure: Failure) -> bool:
    """Whether a call that failed for several records may be repaired by leaving some of them out.

    A task that returned what is no list of results does so whatever the records are.
    """
    return "batchmill.errors.WrongResult" not in failure.lineage
