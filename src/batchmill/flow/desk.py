"""What becomes of a record? Takes in what the slots report, and decides what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..core.batching import half_of
from ..core.capacity import Capacity
from ..core.failures import failure_of
from ..core.guard import Guard
from ..core.kinds import Kind, classify
from ..core.pacing import Pacer
from ..core.retry import Again, call_after_deaths, may_be_parted, next_attempt
from ..core.tally import Histogram
from ..core.trial import Trial, furthest
from ..errors import BatchmillError
from ..options import Retry
from ..protocols import Codec
from ..records import Counts, DeadLetter, Failure, Outcome, Oversized
from .draft import Draft, split
from .endings import busy, exhausted
from .letters import Letters
from .pauses import Pauses
from .stop import Stop
from .trials import Trials

Records = Sequence[tuple[int, Any]]
"""Seqs and raw records of one call."""

NOTED = 20
"""Most deaths that are told one by one."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, as arguments: a monotonic clock in seconds, the time of day as text, and
    numbers drawn evenly from [0, 1)."""

    now: Callable[[], float]
    wall: Callable[[], str]
    jitter: Callable[[], float]


class RunDesk:
    """Settles records. One for a run; called from the driver only.

    A success costs the slot two appends. All else is done by `settle` for a whole piece of records
    at once, while they are still in the processor's cache.
    """

    def __init__(
        self,
        codec: Codec,
        draft: Draft,
        retry: Retry,
        guard: Guard,
        pacer: Pacer,
        capacity: Capacity,
        stop: Stop,
        clock: Clock,
        note: Callable[[str, str], None],
    ) -> None:
        self.seqs: list[int] = []
        self.rows: list[Any] = []
        self.filtered: list[int] = []
        self.rowless: list[tuple[int, Any]] = []
        self.latencies: list[float] = []
        self.draft = draft
        self.trials = Trials()
        self.histogram = Histogram()
        self.counts = Counts()
        self.letters = Letters(guard, draft, self.counts, stop, note)
        self.capacity = capacity
        self.pauses = Pauses(capacity, pacer, clock.now, clock.jitter, note)
        self.failures = 0
        """Failed calls so far, of whatever kind."""
        self.retries = 0
        """Calls that have ended and held a record that this run had called before; a call for
        several records counts once for each."""
        self.called = 0
        self.deaths = 0
        """Calls whose worker process died."""
        self._codec = codec
        self._retry = retry
        self._stop = stop
        self._note = note
        self.clock = clock

    @property
    def paused_until(self) -> float:
        return self.pauses.until

    def blank(self, seq: int) -> None:
        self.counts.blank += 1
        self.draft.blank(seq)

    def returned(self, seq: int, raw: Any) -> None:
        self.trials.of.setdefault(seq, Trial())
        self.trials.wait(self.clock.now(), seq, raw)
        self.capacity.returned((seq,))

    def lost(self, seq: int, raw: Any) -> None:
        self._ended([(seq, raw)])
        self.returned(seq, raw)

    def attempt(self, seq: int) -> int:
        trial = self.trials.of.get(seq)
        return trial.calls + 1 if trial else 1

    def attempts(self, seqs: Sequence[int]) -> dict[int, int]:
        tried = self.trials.of.keys() & seqs if self.trials.of else ()
        return {seq: self.attempt(seq) for seq in tried}

    def alone(self, seq: int) -> bool:
        trial = self.trials.of.get(seq)
        return trial is not None and trial.deaths > 0

    def failed(self, seq: int, raw: Any, error: BaseException | Failure) -> None:
        self.failed_together([(seq, raw)], error)

    def failed_together(self, records: Records, error: BaseException | Failure) -> None:
        self.failures += 1
        self._hear()
        trials = self._ended(records)
        if self._halts(records, error):
            return
        failure = error if isinstance(error, Failure) else failure_of(error, self._time())
        seqs = [seq for seq, _ in records]
        again = next_attempt(failure, furthest(trials), self._retry, self.clock.jitter(),
                             busy_alone=self.pauses.busy_alone(seqs))  # fmt: skip
        if again is None:
            self._fail_for_good(records, trials, failure)
        elif again.pause_s is None:
            self.capacity.returned(seqs)
            self._put_off(records, trials, again)
        else:
            self._pause(records, trials, again, failure)

    def died(self, records: Records, error: BaseException) -> None:
        self.failures += 1
        self._hear()
        trials = self._ended(records)
        self.capacity.returned([seq for seq, _ in records])
        for trial in trials:
            trial.deaths += 1
        self.deaths += 1
        if self.deaths <= NOTED:
            self._note(f"{error}: record {records[0][0]}", "warning")
        if len(records) > 1 or call_after_deaths(trials[0].deaths):
            self._part(records, trials)
            return
        self._give_up(records, trials, failure_of(error, self._time()))

    def _ended(self, records: Records) -> list[Trial]:
        """What was tried with records whose call has just failed, that one included."""
        trials = [self.trials.of.setdefault(seq, Trial()) for seq, _ in records]
        for trial in trials:
            trial.first_at = trial.first_at or self.clock.wall()
            self.retries += trial.calls > 0
            trial.calls += 1
        return trials

    def _time(self) -> datetime:
        return datetime.fromisoformat(self.clock.wall())

    def _halts(self, records: Records, error: BaseException | Failure) -> bool:
        """Whether this says nothing of the records, but that the run has to end."""
        if isinstance(error, KeyboardInterrupt):
            self._stop.drain("the task raised KeyboardInterrupt")
        elif isinstance(error, BatchmillError):
            self._stop.cancel("the task cannot run as it is set up", error=error)
        else:
            return False
        self._leave(records)
        return True

    def _leave(self, records: Records) -> None:
        for seq, raw in records:
            self.returned(seq, raw)

    def _fail_for_good(self, records: Records, trials: list[Trial], failure: Failure) -> None:
        kind = classify(failure, self._retry)
        if kind is Kind.EXHAUSTED:
            self._end_outside(records, "no quota is left", exhausted(failure))
            return
        answered = self.capacity.served if kind is Kind.PERMANENT else self.capacity.returned
        answered([seq for seq, _ in records])
        if len(records) > 1 and may_be_parted(failure):
            self._part(records, trials)
        else:
            self._give_up(records, trials, failure)

    def _end_outside(self, records: Records, reason: str, error: BatchmillError) -> None:
        """End the run for a cause that lies outside of these and all other records."""
        self.letters.close()
        self._stop.drain(reason, error=error)
        self._leave(records)

    def _part(self, records: Records, trials: list[Trial]) -> None:
        """Call them again in halves, at no charge, to find the one that makes the call fail."""
        now = self.clock.now()
        for (seq, raw), trial in zip(records, trials, strict=True):
            trial.company = half_of(len(records))
            self.trials.wait(now, seq, raw)

    def _pause(self, records: Records, trials: list[Trial], again: Again, failure: Failure) -> None:
        """Let nobody start a call for as long as the server asks, or as it seems to need."""
        seqs = [seq for seq, _ in records]
        wait_s = self.pauses.pause(seqs, again.pause_s or 0.0, failure)
        if wait_s is None:
            self._end_outside(records, "the service stays busy", busy(failure))
        else:
            self._put_off(records, trials, again, wait_s)

    def _put_off(
        self, records: Records, trials: list[Trial], again: Again, least_s: float = 0.0
    ) -> None:
        """Let them wait for their next attempt, all for the same."""
        now, wait_s = self.clock.now(), max(again.wait_s, least_s)
        for (seq, raw), trial in zip(records, trials, strict=True):
            trial.put_off(wait_s, free=not again.counts)
            self.trials.wait(now + wait_s, seq, raw)

    def _give_up(self, records: Records, trials: list[Trial], failure: Failure) -> None:
        for (seq, raw), trial in zip(records, trials, strict=True):
            del self.trials.of[seq]
            self.letters.add(self._letter(seq, raw, failure, trial), trial.was)

    def _letter(self, seq: int, raw: Any, failure: Failure, trial: Trial) -> DeadLetter:
        whole = not isinstance(raw, Oversized)
        return DeadLetter(
            seq=seq,
            raw=raw if whole else raw.head,
            failure=failure.kept(with_error=self._codec.empty is None),
            attempts=trial.attempts,
            first_at=trial.first_at,
            last_at=self.clock.wall(),
            key=self._codec.key_of(raw) if whole else None,
            complete=whole,
        )

    def _hear(self) -> None:
        """Let it be known what has succeeded since that was last asked."""
        self.letters.hear(len(self.seqs) + len(self.filtered))

    def settle(self) -> None:
        """Move what the slots have reported into the draft of the next commit."""
        if self.latencies:
            self.histogram.add(self.latencies)
            self.called += len(self.latencies)
            self.latencies.clear()
        if not self.seqs and not self.filtered:
            return
        self._hear()
        self.letters.counted()
        self.counts.succeeded += len(self.seqs)
        self.counts.filtered += len(self.filtered)
        if self.capacity.limited:
            self.capacity.served([*self.seqs, *self.filtered])
        if self.trials.of:
            self._settle_tried()
        if self.seqs:
            self.draft.succeeded(self.seqs, self.rows)
        if self.filtered:
            self.draft.filtered(self.filtered)
        self.draft.commit.rowless += self.rowless
        self.seqs.clear()
        self.rows.clear()
        self.filtered.clear()
        self.rowless.clear()

    def _settle_tried(self) -> None:
        """Settle the records among them that earlier runs knew, and leave the others."""
        earlier = self._close(self.seqs)
        if earlier:
            self.seqs[:], self.rows[:], known = split(self.seqs, self.rows, earlier)
            for seq, row in known:
                self.draft.again(seq, earlier[seq], "succeeded", [row])
        earlier = self._close(self.filtered)
        for seq, was in earlier.items():
            self.filtered.remove(seq)
            self.draft.again(seq, was, "filtered", [])

    def _close(self, seqs: Sequence[int]) -> dict[int, Outcome]:
        """Forget the trials of records that now have an outcome; returns what some were before."""
        closed = self.trials.close(seqs)
        self.retries += sum(trial.calls > 0 for trial in closed.values())
        return {seq: trial.was for seq, trial in closed.items() if trial.was}

    def finish(self) -> None:
        """Settle all there is; dead letters that gave no alarm are written after all."""
        self.settle()
        self.letters.let_go()
