"""The doors for Python: `run` and, inside a running event loop, `arun`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from .job import Job
from .launch import Launch, Manner, Only
from .protocols import Observer
from .report import Report
from .signals import heard_by

LEFT_BEHIND_S = 1.0
"""How long `run` waits at its end for coroutines that do not heed being cancelled."""


def run(job: Job, *, restart: bool = False, accept_changes: bool = False, adopt: bool = False,
        only: Only | None = None, observers: Sequence[Observer] = ()) -> Report:  # fmt: skip
    """Run the job until its source is used up, and report.

    Every record has one outcome, and its results stand in the sink once, however often the job is
    interrupted and run again. The first SIGINT, SIGTERM or SIGHUP lets calls in flight end, commits
    and returns (state "incomplete"); the second gives the calls up; the third ends it at once, with
    KeyboardInterrupt.

    `restart` begins anew, and keeps the old output under another name. `accept_changes` goes on
    although settings that matter have changed. `adopt` takes over an output that is of another
    making, or whose ledger was lost: its results count by `key`. `only` calls nothing but "failed"
    records, or nothing but "reruns".

    A run that had to end early returns with state "aborted" or "incomplete", and its `reason`; it
    can be run again. Raises ConfigError, Changed, LedgerError, AlreadyRunning, and SourceError or
    CommitFailed where the disk fails, before the first record is called; and RuntimeError inside a
    running event loop (`await arun(job)` there).
    """
    _refuse_running_loop()
    launch = Launch(job, Manner(restart, accept_changes, only, adopt), observers)
    loop = asyncio.new_event_loop()
    with heard_by(loop, launch.stop.on_signal):
        return _run_to_the_end(loop, launch.run())


async def arun(job: Job, *, restart: bool = False, accept_changes: bool = False,
               adopt: bool = False, only: Only | None = None,
               observers: Sequence[Observer] = ()) -> Report:  # fmt: skip
    """Run the job in the running event loop; as `run`, but signals are left to the program.

    Cancelling it gives up the calls in flight, commits, and raises CancelledError.
    """
    return await Launch(job, Manner(restart, accept_changes, only, adopt), observers).run()


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("batchmill.run() cannot be called inside a running event loop; "
                       "hint: await batchmill.arun(job)")  # fmt: skip


def _run_to_the_end(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Report]) -> Report:
    """As asyncio.run, but what heeds no cancelling cannot keep the program from its end."""
    try:
        return loop.run_until_complete(work)
    finally:
        try:
            # An interrupted loop may have its own end among its callbacks still.
            loop.call_soon(loop.stop)
            loop.run_forever()
            loop.run_until_complete(_leave(asyncio.all_tasks(loop)))
        finally:
            loop.close()


async def _leave(left: set[asyncio.Task[Any]]) -> None:
    """Cancel these tasks and close what generators there are, in LEFT_BEHIND_S at most for each."""
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=LEFT_BEHIND_S)
    closing = asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.wait([asyncio.ensure_future(closing)], timeout=LEFT_BEHIND_S)
