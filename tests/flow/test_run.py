"""Whatever happens to its records, in whatever order: each has just one outcome, and all add up."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from stage import Stage

from batchmill.errors import RetryAfter, Transient
from batchmill.options import Retry

FATES = ("ok", "ok", "ok", "at once", "none", "bad", "transient", "throttled", "hangs", "stubborn",
         "own limit", "cancels")  # fmt: skip
TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Attempt:
    """What one attempt at one record does, and how long it takes."""

    fate: str
    lasts_s: float


attempts = st.lists(
    st.builds(Attempt, st.sampled_from(FATES), st.integers(0, 25).map(lambda n: n / 10)),
    min_size=1, max_size=3,
)  # fmt: skip


class Cast:
    """A task that acts as it is told, and notes what it would be wrong to do."""

    def __init__(self, scripts):
        self.scripts = scripts
        self.tried = [0] * len(scripts)
        self.faults = []
        self.stage = None

    async def __call__(self, record):
        script = self.scripts[record]
        act = script[min(self.tried[record], len(script) - 1)]
        self.tried[record] += 1
        if record in self.stage.store.settled:
            self.faults.append(f"{record} was called after it had its outcome")
        if act.fate != "at once":
            await asyncio.sleep(act.lasts_s)
        return await self._end(act, record)

    async def _end(self, act, record):
        if act.fate == "none":
            return None
        if act.fate == "bad":
            raise ValueError(record)
        if act.fate == "transient":
            raise Transient
        if act.fate == "throttled" and self.tried[record] <= len(self.scripts[record]):
            raise RetryAfter(act.lasts_s)
        if act.fate == "cancels":
            raise asyncio.CancelledError
        if act.fate == "hangs":
            await asyncio.sleep(10_000)
        if act.fate == "stubborn":
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(10_000)
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(9)
        if act.fate == "own limit":
            async with asyncio.timeout(act.lasts_s):
                await asyncio.sleep(10_000)
        return record


class Accounts(Stage):
    """A run whose store notes what is settled, and how often."""

    def __init__(self, task, items, **settings):
        super().__init__(task, items, **settings)
        self.store.settled = settled = set()
        commit, self.store.twice = self.store.commit, []

        def committing(work):
            commit(work)
            for start, stop, _ in work.settled:
                self.store.twice += settled.intersection(range(start, stop))
                settled.update(range(start, stop))

        self.store.commit = committing

    def check(self, cast):
        counts = self.store.counts
        assert self.error is None
        assert cast.faults == []
        assert self.store.twice == []
        assert len(set(self.results)) == len(self.results) == counts.succeeded
        assert len(set(self.failed)) == len(self.failed) == counts.failed
        assert set(self.results).isdisjoint(self.failed)
        assert {*self.results, *self.failed} <= self.store.settled
        assert len(self.store.settled) == counts.settled == self.store.progress.settled


@settings(max_examples=150)
@given(
    scripts=st.lists(attempts, max_size=30),
    concurrency=st.integers(1, 6),
    order=st.sampled_from(["completion", "input"]),
    rate=st.sampled_from([None, "10/s"]),
    max_attempts=st.integers(1, 3),
)
def test_every_record_ends_in_just_one_place(scripts, concurrency, order, rate, max_attempts):
    cast = Cast(scripts)

    cast.stage = stage = Accounts(
        cast, range(len(scripts)), concurrency=concurrency, order=order, rate=rate,
        timeout_s=TIMEOUT_S, systemic_after=0, retry=Retry(max_attempts=max_attempts),
    )  # fmt: skip
    stage.play()

    stage.check(cast)
    assert stage.parts.desk.counts == stage.store.counts
    assert stage.store.counts.settled == len(scripts)


@settings(max_examples=150)
@given(
    scripts=st.lists(attempts, min_size=1, max_size=30),
    concurrency=st.integers(1, 6),
    order=st.sampled_from(["completion", "input"]),
    timeout_s=st.sampled_from([None, TIMEOUT_S]),
    at_s=st.integers(0, 60).map(lambda n: n / 10),
    how=st.sampled_from(["drain", "cancel", "twice"]),
)
def test_a_run_that_is_stopped_leaves_every_record_settled_or_pending(
    scripts, concurrency, order, timeout_s, at_s, how
):
    cast = Cast(scripts)

    async def stop(stage):
        await asyncio.sleep(at_s)
        if how != "cancel":
            stage.stop.drain("enough")
        if how == "twice":
            await asyncio.sleep(0.7)
        if how != "drain":
            stage.stop.cancel("enough")

    cast.stage = stage = Accounts(
        cast, range(len(scripts)), concurrency=concurrency, order=order, timeout_s=timeout_s,
        systemic_after=0, grace_s=5,
    )  # fmt: skip
    stage.play(stop)

    stage.check(cast)
    assert stage.ended_at <= at_s + 5 + 5 + 9 + 1
