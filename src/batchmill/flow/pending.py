"""Which records may be called now? Retries, then what earlier runs left, then the source."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from ..core.pacing import Pacer
from ..core.trial import Trial
from ..protocols import Store
from ..records import Mark, Requeued
from .commit import Committer
from .desk import RunDesk
from .fresh import Fresh, let_go
from .stop import Stop

MAX_WAITING = 10_000
"""Most records in back-off; the source is not read further until they are fewer."""
MAX_AHEAD = 100_000
"""How far, in records, the reader may be ahead of the low-water mark."""
PROMPT_S = 0.1
"""A commit that has not ended by then waits for whoever takes the results. The store may then want
the reader to be less far ahead."""
MOST_SKIPPED = 16
"""Most blocks without a record to be called that are read before others get their turn."""
SILENT_S = 1.0
"""How long a source that has nothing yet is waited for by what it may not need: a limit that is
reached, and dead letters that the guard holds back."""


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
        fresh: Fresh,
        store: Store,
        desk: RunDesk,
        committer: Committer,
        pacer: Pacer,
        stop: Stop,
        *,
        limit: int | None,
        together: int,
        ahead: int | None,
    ) -> None:
        self._fresh = fresh
        self._desk = desk
        self._committer = committer
        self._pacer = pacer
        self._stop = stop
        self._limit = limit
        self._together = together
        self._max_ahead = ahead or MAX_AHEAD
        self._taken = 0
        self._store = store
        self._silent_since: float | None = None
        """Since when the source has had nothing yet."""
        self._skipping = False
        """Whether blocks without a record to be called were read, and others are to get a turn."""
        self._requeued: Iterator[Requeued] = store.requeued()
        self._earlier = next(self._requeued, None)
        """The next record of an earlier run that is to be called again."""
        self._left_over: list[tuple[int, Any]] = []
        """Records that were given out before and not started."""

    def close(self) -> None:
        """Let go what records are read from."""
        let_go(self._requeued)
        self._fresh.close()

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
        """Up to `most` records of the source. It is up to the caller to have counted them.

        Beyond the limit there are blank lines only, which are no records: a source that ends with
        them is complete.
        """
        if not self._has_room():
            self._committer.offer(self._desk.draft, at_once=True)
            return None
        if not self._read_on():
            return None
        most = min(most, self._fresh.ready)
        count = self._within_limit(most) or self._fresh.blanks(most)
        if not count:
            return None
        self._taken += count
        seq, lines = self._fresh.take(count)
        return Given(lines, seq)

    def _read_on(self) -> bool:
        """Read until there are records, if there are any now."""
        skipped = 0
        while not self._fresh.ready and self._fresh.readable and skipped < MOST_SKIPPED:
            mark = self._fresh.read_on()
            if mark is None:
                break
            self._desk.draft.commit.marks.append(mark)
            skipped += 1
        self._skipping = skipped == MOST_SKIPPED and not self._fresh.ready
        self._note_silence()
        return self._fresh.ready > 0

    def _note_silence(self) -> None:
        if not self._fresh.silent:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = self._desk.clock.now()

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

    @property
    def read_to(self) -> Mark:
        """How far the source has been read."""
        return self._fresh.read_to

    @property
    def exhausted(self) -> bool:
        """Whether the source has been read to its end."""
        return self._fresh.exhausted

    @property
    def fraction(self) -> float | None:
        """Share of the source that has been given out, from 0 to 1; None if that is not known."""
        return self._fresh.fraction

    @property
    def unread(self) -> str:
        """Why there may be more to be read, if the run was not told to end."""
        if self._fresh.half_written:
            return "the last record of the source is half-written, and is left to the next run"
        return "the limit is reached" if self.limited else ""

    def waits_s(self, now: float) -> list[float]:
        """Seconds until the next moments at which there may be a record that can be called."""
        pace_s = self._pacer.wait_s(now)
        due_at = self._desk.trials.next_at
        waits = [] if due_at is None else [max(due_at - now, pace_s)]
        if pace_s > 0 and self._has_more(now):
            waits.append(pace_s)
        return waits

    def look_s(self) -> float | None:
        """Seconds until the source is to be asked again, whether it has called for it or not."""
        if self._skipping:
            return 0.0
        return None if self._silent_since is None else SILENT_S / 2

    def _silent(self, now: float) -> bool:
        """Whether the source has had nothing for so long that nothing else is to wait for it."""
        return self._silent_since is not None and now - self._silent_since >= SILENT_S

    def _has_more(self, now: float) -> bool:
        """Whether more may be called in this run."""
        if self._left_over:
            return True
        if not self.limited:
            return self._fresh.readable or self._earlier is not None
        if self._fresh.ready:
            return self._fresh.blanks(1) > 0
        return self._fresh.readable and not self._silent(now)

    def needs_letters(self, now: float) -> bool:
        """Whether it may take the dead letters that the guard holds back to go on: there is no room
        before they are settled, or the source is silent, perhaps until their outcomes are seen."""
        barred = not self._has_room() and not self._committer.busy
        return barred or self._silent(now)

    def ended(self, now: float) -> bool:
        """Whether there is nothing left but what is being called."""
        if self._has_more(now) or len(self._desk.trials):
            return False
        if self._fresh.error:
            self._stop.drain("the source cannot be read further", error=self._fresh.error)
        return True
