"""Which records may be called now? Retries, then what earlier runs left, then the source."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from ..core.pacing import Pacer
from ..core.trial import Trial
from ..protocols import Source, Store
from ..records import Block, Mark, Requeued
from .commit import Committer
from .desk import RunDesk
from .fresh import Fresh
from .stop import Stop

MAX_WAITING = 10_000
"""Most records in back-off; the source is not read further until they are fewer."""
MAX_AHEAD = 100_000
"""How far, in records, the reader may be ahead of the low-water mark."""
PROMPT_S = 0.1
"""A commit that has not ended by then waits for whoever takes the results. The store may then want
the reader to be less far ahead."""


class Given(NamedTuple):
    """Records to be called: pairs of seq and raw record, or raw records numbered from `seq`."""

    records: list[Any]
    seq: int | None = None

    def seqs(self) -> Collection[int]:
        if self.seq is None:
            return [seq for seq, _ in self.records]
        return range(self.seq, self.seq + len(self.records))


class Pending:
    """The records of a run that have no outcome yet, in the order in which they are called.

    With `together` above 1 what is given out at once is one call, and the pace counts it as one.
    """

    def __init__(
        self,
        source: Source | None,
        store: Store,
        desk: RunDesk,
        committer: Committer,
        pacer: Pacer,
        stop: Stop,
        *,
        start: Mark,
        limit: int | None,
        together: int,
        ahead: int | None,
    ) -> None:
        self.read_to = start
        self.exhausted = source is None
        self._desk = desk
        self._committer = committer
        self._pacer = pacer
        self._stop = stop
        self._limit = limit
        self._together = together
        self._max_ahead = ahead or MAX_AHEAD
        self._taken = 0
        self._store = store
        self._source = source
        self._behind = self._reached = source.fraction(start) if source else None
        self._fresh = Fresh(source.blocks(start) if source else iter(()), store)
        self._requeued: Iterator[Requeued] = store.requeued()
        self._earlier = next(self._requeued, None)
        """The next record of an earlier run that is to be called again."""
        self._broken: Exception | None = None
        """Why the source cannot be read further. What was read before is called all the same."""
        self._left_over: list[tuple[int, Any]] = []
        """Records that were given out before and not started."""

    def next(self, most: int, now: float) -> Given | None:
        """Up to `most` records that may be called now. The pace counts them as started."""
        calls = self._pacer.take(self._calls(most), now)
        if not calls:
            return None
        given = self._next(calls if self._together == 1 else most, now)
        self._pacer.refund(calls - (self._calls(len(given.records)) if given else 0))
        return given

    def _calls(self, records: int) -> int:
        return -(-records // self._together)

    def _next(self, most: int, now: float) -> Given | None:
        if self._desk.trials.count_due(now):
            return Given(self._desk.trials.due(now, most))
        if len(self._desk.trials) >= MAX_WAITING:
            return None
        if self._left_over:
            taken = self._left_over[:most]
            del self._left_over[:most]
            return Given(taken)
        return self._of_earlier_runs(most) or self.fresh(most)

    def _of_earlier_runs(self, most: int) -> Given | None:
        records: list[tuple[int, Any]] = []
        while len(records) < self._within_limit(most) and self._earlier is not None:
            again = self._earlier
            self._earlier = next(self._requeued, None)
            trial = Trial(was=again.was, earlier=again.attempts, first_at=again.first_at)
            self._desk.trials.of[again.seq] = trial
            records.append((again.seq, again.raw))
        self._taken += len(records)
        return Given(records) if records else None

    def fresh(self, most: int) -> Given | None:
        """Up to `most` records of the source. It is up to the caller to have counted them."""
        if self.exhausted or self._broken or self.limited:
            return None
        if not self._has_room():
            self._committer.offer(self._desk.draft, at_once=True)
            return None
        while not self._fresh.ready:
            self._read_on()
            if self.exhausted or self._broken or self._stop.asked:
                return None
        count = self._within_limit(min(most, self._fresh.ready))
        self._taken += count
        seq, lines = self._fresh.take(count)
        return Given(lines, seq)

    def put_back(self, records: list[tuple[int, Any]]) -> None:
        """Take back what was given out and not started."""
        self._pacer.refund(self._calls(len(records)))
        self._left_over = records + self._left_over
        self._desk.capacity.returned([seq for seq, _ in records])

    @property
    def limited(self) -> bool:
        """Whether the run's limit is reached while there may be more."""
        return self._within_limit(1) == 0

    def _within_limit(self, most: int) -> int:
        """How many of `most` records may still be called; blank lines are none."""
        if self._limit is None:
            return most
        return max(0, min(most, self._limit - self._taken + self._desk.counts.blank))

    def _has_room(self) -> bool:
        ahead = self._fresh.next_seq - self._store.progress.low_water
        prompt = self._committer.busy_s < PROMPT_S
        return ahead < (MAX_AHEAD if prompt else self._max_ahead) and self._desk.draft.has_room

    def _read_on(self) -> None:
        try:
            block = self._fresh.read()
        except Exception as error:
            self._broken = error
            return
        if block is None:
            self.exhausted = True
            return
        self.read_to = block.end
        self._desk.draft.commit.marks.append(block.end)
        self._measure(block)

    def _measure(self, block: Block) -> None:
        """Note which share of the source this block makes up."""
        assert self._source
        self._behind, self._reached = self._reached, self._source.fraction(block.end)

    @property
    def fraction(self) -> float | None:
        """Share of the source that has been given out, from 0 to 1; None if that is not known.

        Within a block every record counts the same.
        """
        if self._behind is None or self._reached is None:
            return self._reached
        return self._behind + (self._reached - self._behind) * self._fresh.given

    def waits_s(self, now: float) -> list[float]:
        """Seconds until the next moments at which there may be a record that can be called."""
        pace_s = self._pacer.wait_s(now)
        due_at = self._desk.trials.next_at
        waits = [] if due_at is None else [max(due_at - now, pace_s)]
        if self._has_more() and pace_s > 0:
            waits.append(pace_s)
        return waits

    def _has_more(self) -> bool:
        readable = not (self.exhausted or self._broken)
        more = readable or self._earlier is not None
        return bool(self._left_over) or (more and not self.limited)

    def ended(self) -> bool:
        """Whether there is nothing left but what is being called. Reads on to find out."""
        while self.limited and not (
            self.exhausted or self._broken or self._fresh.ready or self._stop.asked
        ):
            self._read_on()
        if self._has_more() or len(self._desk.trials):
            return False
        if self._broken:
            self._stop.drain("the source cannot be read further", error=self._broken)
        return True
