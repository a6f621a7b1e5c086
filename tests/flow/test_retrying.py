"""Any function gets a job's back-off by a decorator."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from batchmill.core.retry import MAX_FREE_WAITS
from batchmill.errors import ConfigError, Permanent, RetryAfter
from batchmill.flow.retrying import retry_with_backoff


class Flaky:
    """A service that fails with these errors, one a call, and then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, answer):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return answer


class Waits:
    """A sleep that takes no time and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def plain(self, wait_s):
        self.asked.append(wait_s)

    async def awaited(self, wait_s):
        self.asked.append(wait_s)


def call_plain(service, waits, **settings):
    settings = {"sleep": waits.plain, "jitter": lambda: 0.5} | settings

    @retry_with_backoff(**settings)
    def ask(answer):
        return service(answer)

    return ask("ok")


def call_async(service, waits, **settings):
    settings = {"sleep": waits.awaited, "jitter": lambda: 0.5} | settings

    @retry_with_backoff(**settings)
    async def ask(answer):
        return service(answer)

    return asyncio.run(ask("ok"))


both = pytest.mark.parametrize("call", [call_plain, call_async])


@both
def test_a_function_that_fails_in_passing_is_called_again_after_growing_waits(call):
    service, waits = Flaky(TimeoutError(), ConnectionError()), Waits()

    assert call(service, waits, initial_delay=2.0, backoff_factor=3.0) == "ok"

    assert waits.asked == [0.5 * 2, 0.5 * 6]
    assert service.calls == 3


@both
def test_retries_counts_the_calls_after_the_first_and_the_last_error_is_the_users_own(call):
    last = TimeoutError("the third")
    service, waits = Flaky(TimeoutError("1"), TimeoutError("2"), last), Waits()

    with pytest.raises(TimeoutError) as caught:
        call(service, waits, retries=2)

    assert caught.value is last
    assert service.calls == 3


@both
def test_no_retries_is_one_call(call):
    service = Flaky(TimeoutError())

    with pytest.raises(TimeoutError):
        call(service, Waits(), retries=0)

    assert service.calls == 1


@both
@pytest.mark.parametrize("error", [ValueError("bad"), Permanent("never"), KeyError("id")])
def test_a_permanent_failure_is_not_tried_again(call, error):
    service = Flaky(error)

    with pytest.raises(type(error)):
        call(service, Waits())

    assert service.calls == 1


@both
@pytest.mark.parametrize("on", ["all", [ValueError], ["ValueError"]])
def test_what_is_tried_again_can_be_widened(call, on):
    assert call(Flaky(ValueError()), Waits(), on=on) == "ok"


@both
@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit()])
def test_what_means_stop_is_never_tried_again(call, error):
    service = Flaky(error)

    with pytest.raises(type(error)):
        call(service, Waits(), on="all")

    assert service.calls == 1


@both
def test_a_server_that_says_when_is_waited_for_and_no_retry_is_used_up(call):
    service, waits = Flaky(*[RetryAfter(7.0) for _ in range(5)]), Waits()

    assert call(service, waits, retries=1, initial_delay=1.0) == "ok"

    assert waits.asked == [7.5] * 5


@both
def test_a_server_that_says_now_without_end_is_given_up(call):
    service, waits = Flaky(*[RetryAfter(0.0) for _ in range(10_000)]), Waits()

    with pytest.raises(RetryAfter):
        call(service, waits, retries=1, initial_delay=0.0)

    assert service.calls == MAX_FREE_WAITS + 2


@both
def test_no_wait_is_longer_than_max_delay(call):
    waits = Waits()

    with pytest.raises(TimeoutError):
        call(Flaky(*[TimeoutError()] * 9), waits, retries=8, max_delay=4.0, jitter=lambda: 0.999)

    assert max(waits.asked) == 0.999 * 4


def test_each_call_has_its_own_attempts():
    waits = Waits()
    service = Flaky(TimeoutError(), TimeoutError())

    @retry_with_backoff(1, sleep=waits.plain)
    def ask():
        return service("ok")

    with pytest.raises(TimeoutError):
        ask()
    assert ask() == "ok"


def test_the_decorator_may_stand_bare_or_have_its_arguments_by_position():
    @retry_with_backoff
    def bare(record: dict, context: dict) -> dict:
        """Says what it does."""
        return record

    @retry_with_backoff(5, 2, 3)
    async def positional(record: dict) -> dict:
        return record

    assert bare({"a": 1}, {}) == {"a": 1}
    assert asyncio.run(positional({"a": 1})) == {"a": 1}


def test_the_function_keeps_its_name_signature_and_kind():
    def plain(record: dict, *, times: int = 1) -> dict:
        """Says what it does."""
        return record

    async def coroutine(record): ...

    decorated = retry_with_backoff()(plain)

    assert (decorated.__name__, decorated.__doc__) == ("plain", "Says what it does.")
    assert inspect.signature(decorated) == inspect.signature(plain)
    assert not inspect.iscoroutinefunction(decorated)
    assert inspect.iscoroutinefunction(retry_with_backoff()(coroutine))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"retries": -1}, "retries = -1"),
        ({"initial_delay": -1}, "wait_min_s = -1"),
        ({"backoff_factor": 0.5}, "factor = 0.5"),
        ({"on": "never"}, "on = 'never'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, says):
    with pytest.raises(ConfigError) as caught:
        retry_with_backoff(**settings)

    assert says in caught.value.message


def test_a_generator_cannot_be_retried():
    def pages():
        yield 1

    with pytest.raises(ConfigError) as caught:
        retry_with_backoff(pages)

    assert "it yields" in caught.value.message
