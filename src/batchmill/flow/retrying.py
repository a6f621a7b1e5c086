"""How does any function get the back-off that a job's records have?"""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar, overload

from ..core.failures import failure_of
from ..core.retry import next_attempt
from ..core.trial import Trial
from ..errors import ConfigError
from ..options import Retry, require

P = ParamSpec("P")
R = TypeVar("R")


@overload
def retry_with_backoff(retries: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def retry_with_backoff(
    retries: int = 3,
    initial_delay: float = 1.0,
    backoff_factor: float = 2.0,
    *,
    max_delay: float = 60.0,
    on: str | Sequence[str | type[BaseException]] = "transient",
    sleep: Callable[[float], Any] | None = None,
    jitter: Callable[[], float] = random.random,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def retry_with_backoff(
    retries: int | Callable[..., Any] = 3,
    initial_delay: float = 1.0,
    backoff_factor: float = 2.0,
    *,
    max_delay: float = 60.0,
    on: str | Sequence[str | type[BaseException]] = "transient",
    sleep: Callable[[float], Any] | None = None,
    jitter: Callable[[], float] = random.random,
) -> Any:
    """Call a function, plain or async, again when it raises: at most `retries` more times.

    The wait before retry n is drawn evenly from 0 to
    min(max_delay, initial_delay * backoff_factor ** (n - 1)) seconds; `max_delay` is at least
    `initial_delay`. A server's Retry-After is waited for besides, and uses up no retry. `on` is
    that of `Retry`: connection errors, time-outs and HTTP 408, 425, 429, 5xx are "transient".
    The function's own last exception is what the caller gets; cancelling is never retried.

    Within a task, prefer the job's own retry: there a record that waits holds no slot.
    `sleep` (async for an async function) and `jitter` (from 0 to below 1) are for tests.
    Usable bare, as `@retry_with_backoff`. Raises ConfigError for settings that make no sense.
    """
    if callable(retries):
        return retry_with_backoff()(retries)
    require(retries >= 0, "retry_with_backoff: retries", retries, "0 or more")
    retry = Retry(max_attempts=retries + 1, wait_min_s=initial_delay, factor=backoff_factor,
                  wait_max_s=max(max_delay, initial_delay), on=on)  # fmt: skip

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        _refuse_generator(function)
        new = functools.partial(_Attempts, retry, jitter)
        if inspect.iscoroutinefunction(function):
            return _retrying_async(function, new, sleep or asyncio.sleep)
        return _retrying(function, new, sleep or time.sleep)

    return decorate


class _Attempts:
    """The attempts of one call so far, and how long the server put it off."""

    def __init__(self, retry: Retry, jitter: Callable[[], float]) -> None:
        self._retry = retry
        self._jitter = jitter
        self._trial = Trial()

    def wait_after(self, error: Exception) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        failure = failure_of(error, datetime.now(UTC))
        again = next_attempt(failure, self._trial, self._retry, self._jitter())
        if again is None:
            return None
        self._trial.put_off(again.wait_s, free=not again.counts)
        return again.wait_s


def _retrying(
    function: Callable[P, R], new: Callable[[], _Attempts], sleep: Callable[[float], object]
) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        attempts = new()
        while True:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                wait_s = attempts.wait_after(error)
                if wait_s is None:
                    raise
            sleep(wait_s)

    return call


def _retrying_async(
    function: Callable[P, Awaitable[R]],
    new: Callable[[], _Attempts],
    sleep: Callable[[float], Awaitable[object]],
) -> Callable[P, Awaitable[R]]:
    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        attempts = new()
        while True:
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                wait_s = attempts.wait_after(error)
                if wait_s is None:
                    raise
            await sleep(wait_s)

    return call


def _refuse_generator(function: Callable[..., Any]) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"retry_with_backoff cannot retry {function.__name__}: it yields",
                          hint="decorate the function that makes one request")  # fmt: skip
