"""How are the parts of a run put together?"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ..core.capacity import Capacity
from ..core.guard import Guard
from ..core.ordering import Reorder
from ..core.pacing import Pacer
from ..job import Job
from ..protocols import Codec, Source, Store
from ..records import Mark
from ..slots import Engine
from .commit import Committer
from .desk import Clock, RunDesk
from .draft import Draft
from .feed import RunFeed
from .fresh import Fresh
from .hooks import Hooks
from .pending import Pending
from .run import Parts
from .stop import Stop
from .ticker import Ticker
from .watch import Meter, Watch


def assemble(
    job: Job,
    *,
    source: Source | None,
    start: Mark,
    codec: Codec,
    engine: Engine,
    store: Store,
    commit_every_s: float,
    stop: Stop,
    clock: Clock,
    watch: Watch,
    ahead: int | None = None,
    paced_s: float | None = None,
) -> Parts:
    """The parts of a run that goes on at `start`. To be called in the event loop of the run.

    `paced_s` is how far the starts of earlier runs reach beyond now (`Pacer.state`).
    """
    guard = Guard(job.systemic_after, job.failure_limit, engine.calls)
    pacer = Pacer(job.parsed_rate, job.burst)
    if paced_s is not None:
        pacer.resume(paced_s, clock.now())
    reorder = Reorder(store.progress.copy()) if job.order == "input" else None
    draft = Draft(codec.join, reorder, codec.empty)
    desk = RunDesk(codec, draft, job.retry, guard, pacer, Capacity(engine.slots), stop, clock,
                   watch.note)  # fmt: skip

    def written(error: BaseException | None) -> None:
        if error is not None:
            stop.cancel("results could not be written", error=error)
        feed.wake()

    loop = asyncio.get_running_loop()

    def ready() -> None:
        # A source may find more when the run, and its loop, have ended.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(feed.wake)

    committer = Committer(store, commit_every_s, clock.now, written)
    fresh = Fresh(source, start, store, codec, ready, together=engine.together,
                  lasting=job.sink is not None)  # fmt: skip
    pending = Pending(fresh, store, desk, committer, pacer, stop, limit=job.limit,
                      together=engine.together, ahead=ahead)  # fmt: skip
    feed = RunFeed(pending, desk, committer, stop, slots=engine.slots, paced=pacer.limited,
                   together=engine.together)  # fmt: skip
    desk.pauses.in_flight = lambda: feed.in_flight
    meter = Meter(watch, desk, feed, engine, store.counts.settled)
    hooks = Hooks(stop, job.grace_s, clock.now)
    ticker = Ticker(desk, feed, committer, engine, meter, hooks, watch, stop, grace_s=job.grace_s)
    return Parts(source, engine, store, pacer, desk, feed, committer, ticker, hooks, meter, stop)
