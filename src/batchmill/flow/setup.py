"""How are the parts of a run put together?"""

from __future__ import annotations

from ..core.capacity import Capacity
from ..core.guard import Guard
from ..core.ordering import Reorder
from ..core.pacing import Pacer
from ..core.progress import Progress
from ..job import Job
from ..protocols import Codec, Engine, Source, Store
from ..records import Mark
from .commit import Committer
from .desk import Clock, RunDesk
from .draft import Draft
from .feed import RunFeed
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
) -> Parts:
    """The parts of a run that goes on at `start`. To be called in the event loop of the run."""
    guard = Guard(job.systemic_after, job.failure_limit, engine.calls)
    pacer = Pacer(job.parsed_rate, job.burst)
    snapshot = Progress(store.progress.low_water, store.progress.ranges)
    draft = Draft(codec.join, Reorder(snapshot) if job.order == "input" else None)
    desk = RunDesk(codec, draft, job.retry, guard, pacer, Capacity(engine.slots), stop, clock,
                   watch.note)  # fmt: skip

    def written(error: BaseException | None) -> None:
        if error is not None:
            stop.cancel("results could not be written", error=error)
        feed.wake()

    committer = Committer(store, commit_every_s, clock.now, written)
    pending = Pending(source, store, desk, committer, pacer, stop,
                      start=start, limit=job.limit, together=engine.together,
                      ahead=ahead)  # fmt: skip
    feed = RunFeed(pending, desk, committer, stop, slots=engine.slots, paced=pacer.limited,
                   together=engine.together)  # fmt: skip
    desk.pauses.in_flight = lambda: feed.in_flight
    meter = Meter(watch, desk, feed, engine, store.counts.settled)
    hooks = Hooks(stop, job.grace_s, clock.now)
    ticker = Ticker(desk, feed, committer, engine, meter, hooks, watch, stop, grace_s=job.grace_s)
    return Parts(source, engine, store, desk, feed, committer, ticker, hooks, meter, stop)
