"""The door for items at hand: a function over an iterable, its results as they come."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
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

LEAVE_S = 10.0
"""How long, beyond `grace_s`, a run may take to end once nobody wants its results any more."""
EXIT_S = 5.0
"""How long a run may keep the interpreter from its end."""

_log = logging.getLogger(__name__)


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
    they are needed, in a thread, so `items` may have no end, and may keep whoever draws them
    waiting: outcomes come as soon as they are there. The run goes on in a thread of its own while
    the results are used, waits soon where they are not, and ends with the iterator or with the
    program, whichever is first; calls in flight are then given up.

    `settings` are those of Job: engine="process", workers, concurrency, rate, retry, timeout_s,
    batch_size, … Nothing is kept for a later run.

    Raises ConfigError at once; while iterating, a BatchmillError if the run had to stop: too many
    failures, a worker or a hook that cannot start; and an error of `items` itself.
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
    beside = _RunBeside(launch, outbox)
    try:
        yield from outbox.taken(beside.thread)
    finally:
        beside.end(launch.job.grace_s + LEAVE_S)
    beside.raise_error()


class _RunBeside:
    """A run in a thread of its own, which ends with the program at the latest."""

    def __init__(self, launch: Launch, outbox: Outbox) -> None:
        self._launch = launch
        self._outbox = outbox
        self._loop = asyncio.new_event_loop()
        self._report: Report | None = None
        self._error: BaseException | None = None
        self._told = False
        context = contextvars.copy_context()
        self.thread = threading.Thread(
            target=context.run, args=(self._run,), name="batchmill-map", daemon=True
        )
        self.thread.start()
        # Called while daemon threads still run: what the run has opened is closed in good order.
        atexit.register(self.end, EXIT_S)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                self._report = runner.run(self._launch.run())
        except BaseException as error:
            self._error = error

    def end(self, within_s: float) -> None:
        """Have the run end, and wait for it. One that does not end in time is left behind."""
        atexit.unregister(self.end)
        self._outbox.close()
        if self._told or not self.thread.is_alive():
            return
        self._told = True
        with suppress(RuntimeError):  # It has just ended, and its loop with it.
            self._loop.call_soon_threadsafe(self._stop)
        self.thread.join(within_s)
        if self.thread.is_alive():
            _log.warning("a run of map() did not end within %g s and is left behind", within_s)

    def _stop(self) -> None:
        self._launch.stop.cancel("nobody wants the results any more")

    def raise_error(self) -> None:
        """Raise what kept the run from its end."""
        stop = self._launch.stop
        error = self._error or stop.error
        if error is not None:
            raise error
        if stop.asked and self._report is not None:
            raise BatchmillError(self._report.reason)
