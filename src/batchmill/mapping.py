"""The door for items at hand: a function over an iterable, its results as they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import fields
from typing import Any

from .errors import BatchmillError, ConfigError
from .job import Job
from .launch import Launch, Manner
from .protocols import Observer
from .report import Report
from .sinks.outbox import Outbox
from .tasks.nearest import did_you_mean

_SETTINGS = frozenset(field.name for field in fields(Job))


def map(  # noqa: A001 - called as what it stands in for
    function: Callable[..., Any] | str,
    items: Iterable[Any],
    *,
    observers: Sequence[Observer] = (),
    **settings: Any,
) -> Iterator[Any]:
    """Call `function` for every item, many at a time; yield the outcomes in the items' order.

    An outcome is what the function returned or, once its attempts are used up, a DeadLetter, which
    has `failure`, `attempts` and the item as `raw`: one bad item ends nothing. Items are drawn as
    they are needed, so `items` may have no end. The run goes on in a thread of its own while the
    results are used, waits soon where they are not, and ends with the iterator.

    `settings` are those of Job: engine="process", workers, concurrency, rate, retry, timeout_s,
    batch_size, … Nothing is kept for a later run.

    Raises ConfigError at once; while iterating, a BatchmillError if the run had to stop: too many
    failures, a worker or a hook that cannot start, an error of `items` itself.
    """
    for name in settings:
        if name in ("sink", "source", "task", "order"):
            raise ConfigError(f"map takes no {name}", hint="use batchmill.run(Job(...))")
        if name not in _SETTINGS:
            raise ConfigError(f"map takes no {name}", hint=did_you_mean(name, _SETTINGS))
    job = Job(source=items, task=function, order="input", **settings)
    outbox = Outbox()
    return _results(Launch(job, Manner(), observers, outbox), outbox)


def _results(launch: Launch, outbox: Outbox) -> Iterator[Any]:
    ended: list[Report] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=copy_context().run, args=(_run, launch, loop, ended), name="batchmill-map",
        daemon=True,
    )  # fmt: skip
    thread.start()
    try:
        yield from outbox.taken(thread)
    finally:
        outbox.close()
        if thread.is_alive():
            loop.call_soon_threadsafe(launch.stop.cancel, "nobody wants the results any more")
        thread.join()
    if ended and ended[0].state == "aborted":
        raise launch.stop.error or BatchmillError(ended[0].reason)


def _run(launch: Launch, loop: asyncio.AbstractEventLoop, ended: list[Report]) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        ended.append(runner.run(launch.run()))
