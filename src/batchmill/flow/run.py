"""How does a run flow, from the first record to the last commit?

    source ──blocks──► feed ──pieces──► slots of the engine ──outcomes──► desk
                        ▲                                                  │
                        └── records whose next attempt is due ◄────────────┤
                                                    store ◄── committer ◄──┘

These functions only wait; what is decided is decided by the feed (what is called next), the desk
(what becomes of it), the committer (when it is made durable) and the core below them.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass

from ..core.pacing import Pacer
from ..protocols import Source, Store
from ..slots import Engine
from .commit import Committer
from .desk import RunDesk
from .feed import RunFeed
from .hooks import Hooks
from .stop import Stop
from .ticker import Ticker
from .watch import Meter


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that takes part in one run, put together by `setup.assemble`."""

    source: Source | None
    engine: Engine
    store: Store
    pacer: Pacer
    desk: RunDesk
    feed: RunFeed
    committer: Committer
    ticker: Ticker
    hooks: Hooks
    meter: Meter
    stop: Stop


async def flow(run: Parts) -> None:
    """Call every record that is pending until it has an outcome, and commit all outcomes.

    Returns when the source and the retries are used up, or when the stop signal says so; then
    `run.stop` tells why. Whatever happens, what was done is committed before the task is shut down.
    """
    with closing(run.feed.pending):
        async with run.ticker, run.hooks, run.engine.open():
            with run.hooks.over():
                async with run.committer:
                    try:
                        await _serve(run)
                    finally:
                        run.desk.finish()
                        await run.committer.finish(run.desk.draft)


async def _serve(run: Parts) -> None:
    """Let all slots call records until the feed ends. Being cancelled stops the run, and is passed
    on when the slots have ended."""
    slots = {
        asyncio.create_task(run.engine.serve(run.feed, run.desk)) for _ in range(run.engine.slots)
    }
    cancelled: asyncio.CancelledError | None = None
    while slots:
        try:
            ended, slots = await asyncio.wait(slots, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError as error:
            cancelled = error
            run.stop.cancel("the run was cancelled")
            continue
        for slot in ended:
            if slot.exception():
                run.stop.drain("an error in a slot", error=slot.exception())
    if cancelled:
        raise cancelled
