"""The doors for Python: `run` and, inside a running event loop, `arun`."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from .engines.forked import end_by, not_inherited
from .job import Job
from .launch import Launch, Manner, Only
from .protocols import Observer
from .report import Report

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

POLITE_SIGNALS = 2
"""Signals that ask a run to stop; one more stops it wherever it stands."""

LEFT_BEHIND_S = 1.0
"""How long `run` waits at its end for coroutines that do not heed being cancelled."""


def run(job: Job, *, restart: bool = False, accept_changes: bool = False, only: Only | None = None,
        observers: Sequence[Observer] = ()) -> Report:  # fmt: skip
    """Run the job until its source is used up, and report.

    Every record has one outcome, and its results stand in the sink once, however often the job is
    interrupted and run again. The first SIGINT, SIGTERM or SIGHUP lets calls in flight end, commits
    and returns (state "incomplete"); the second gives the calls up.

    `restart` begins anew, and keeps the old output under another name. `accept_changes` goes on
    although settings that matter have changed. `only` calls nothing but "failed" records, or
    nothing but "reruns".

    A run that had to end early returns with state "aborted" or "incomplete", and its `reason`; it
    can be run again. Raises ConfigError, Changed, LedgerError, AlreadyRunning, and SourceError or
    CommitFailed where the disk fails, before the first record is called; and RuntimeError inside a
    running event loop (`await arun(job)` there).
    """
    _refuse_running_loop()
    launch = Launch(job, Manner(restart, accept_changes, only), observers)

    async def to_the_end() -> Report:
        with _signals_to(launch.stop.on_signal):
            return await launch.run()

    return _run_loop(to_the_end())


async def arun(job: Job, *, restart: bool = False, accept_changes: bool = False,
               only: Only | None = None, observers: Sequence[Observer] = ()) -> Report:  # fmt: skip
    """Run the job in the running event loop; as `run`, but signals are left to the program.

    Cancelling it gives up the calls in flight, commits, and raises CancelledError.
    """
    return await Launch(job, Manner(restart, accept_changes, only), observers).run()


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("batchmill.run() cannot be called inside a running event loop; "
                       "hint: await batchmill.arun(job)")  # fmt: skip


@contextmanager
def _signals_to(handle: Callable[[int], None]) -> Iterator[None]:
    """Hand the signals that end a process to `handle`; only the main thread may do that.

    The third one raises KeyboardInterrupt where the program stands, in case that is a task which
    blocks the event loop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    heard: list[int] = []

    def hear(number: int, _: object) -> None:
        heard.append(number)
        if len(heard) > POLITE_SIGNALS:
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(handle, number)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, hear)
    try:
        with not_inherited(partial(_end_by, taken)):
            yield
    finally:
        for number in taken:
            signal.signal(number, before[number] or signal.SIG_DFL)


def _end_by(numbers: Iterable[int]) -> None:
    for number in numbers:
        end_by(number)


def _run_loop(work: Coroutine[Any, Any, Report]) -> Report:
    """As asyncio.run, but a coroutine that heeds no cancelling cannot keep the program from its
    end."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=LEFT_BEHIND_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
