"""What becomes of a record? Takes in what the slots report, and decides what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.batching import half_of
from ..core.failures import failure_of
from ..core.guard import Guard
from ..core.pacing import Pacer
from ..core.retry import Again, call_after_deaths, may_be_parted, next_attempt
from ..core.tally import Histogram
from ..errors import BatchmillError, SystemicFailure, TooManyFailures
from ..options import Retry
from ..protocols import Codec
from ..records import Counts, DeadLetter, Failure, Outcome, Oversized
from .draft import Draft, split
from .stop import Stop
from .trials import Trial, Trials

LEAST_WAIT_S = 1.0
"""What a wait that a server asked for counts at least, so that `Retry-After: 0` has an end, too."""

Records = Sequence[tuple[int, Any]]
"""Seqs and raw records of one call."""

NOTED = 20
"""Most failed reruns, and most deaths, that are told one by one."""


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

    def __init__(self, codec: Codec, draft: Draft, retry: Retry, guard: Guard, pacer: Pacer,
                 stop: Stop, clock: Clock, note: Callable[[str, str], None]) -> None:  # fmt: skip
        self.seqs: list[int] = []
        self.rows: list[Any] = []
        self.filtered: list[int] = []
        self.latencies: list[float] = []
        self.draft = draft
        self.trials = Trials()
        self.histogram = Histogram()
        self.counts = Counts()
        self.failures = 0
        """Failed attempts so far, of whatever kind."""
        self.retries = 0
        self.called = 0
        self.failed_reruns = 0
        self.deaths = 0
        """Calls whose worker process died."""
        self.errors_by_type: Counter[str] = Counter()
        self._codec = codec
        self._retry = retry
        self._guard = guard
        self._pacer = pacer
        self._stop = stop
        self._note = note
        self.clock = clock
        self._known = 0
        """How many of the unsettled successes the guard has heard of."""
        self._held: dict[int, Outcome | None] = {}
        """What the records whose dead letters the guard holds back were before."""

    @property
    def paused_until(self) -> float:
        return self._pacer.paused_until

    def blank(self, seq: int) -> None:
        self.counts.blank += 1
        self.draft.blank(seq)

    def returned(self, seq: int, raw: Any) -> None:
        self.trials.of.setdefault(seq, Trial())
        self.trials.wait(self.clock.now(), seq, raw)

    def lost(self, seq: int, raw: Any) -> None:
        self.trials.of.setdefault(seq, Trial()).made += 1
        self.returned(seq, raw)

    def attempt(self, seq: int) -> int:
        trial = self.trials.of.get(seq)
        return trial.used + 1 if trial else 1

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
        if self._halts(records, error):
            return
        failure = error if isinstance(error, Failure) else failure_of(error)
        trials = [self._trial(seq) for seq, _ in records]
        worst = max(trials, key=lambda trial: trial.used)
        jitter = self.clock.jitter()
        again = next_attempt(failure, worst.used + 1, worst.throttled_s, self._retry, jitter)
        if again is None and len(records) > 1 and may_be_parted(failure):
            self._part(records, trials)
            return
        for trial in trials:
            trial.used += 1
            trial.made += 1
        if again is None:
            self._give_up_all(records, trials, failure)
        else:
            self._put_off(records, trials, again)

    def died(self, records: Records, error: BaseException) -> None:
        self.failures += 1
        trials = [self._trial(seq) for seq, _ in records]
        for trial in trials:
            trial.deaths += 1
            trial.made += 1
        self.deaths += 1
        if self.deaths <= NOTED:
            self._note(f"{error}: record {records[0][0]}", "warning")
        if len(records) > 1 or call_after_deaths(trials[0].deaths):
            self._part(records, trials)
            return
        self._give_up_all(records, trials, failure_of(error))

    def _halts(self, records: Records, error: BaseException | Failure) -> bool:
        """Whether this says nothing of the records, but that the run has to end."""
        if isinstance(error, KeyboardInterrupt):
            self._stop.drain("the task raised KeyboardInterrupt")
        elif isinstance(error, BatchmillError):
            self._stop.cancel("the task cannot run as it is set up", error=error)
        else:
            return False
        for seq, raw in records:
            self.returned(seq, raw)
        return True

    def _trial(self, seq: int) -> Trial:
        """What was tried with a record whose attempt has just failed."""
        trial = self.trials.of.setdefault(seq, Trial())
        trial.first_at = trial.first_at or self.clock.wall()
        return trial

    def _part(self, records: Records, trials: list[Trial]) -> None:
        """Call them again in halves, at no charge, to find the one that makes the call fail."""
        now = self.clock.now()
        for (seq, raw), trial in zip(records, trials, strict=True):
            trial.company = half_of(len(records))
            self.trials.wait(now, seq, raw)

    def _put_off(self, records: Records, trials: list[Trial], again: Again) -> None:
        """Let them wait for their next attempt, all for the same."""
        now = self.clock.now()
        if again.pause_s:
            self._pacer.pause(now + again.pause_s)
        self.retries += len(records)
        for (seq, raw), trial in zip(records, trials, strict=True):
            if not again.counts:
                trial.used -= 1
                trial.throttled_s += max(LEAST_WAIT_S, again.wait_s)
            self.trials.wait(now + again.wait_s, seq, raw)

    def _give_up_all(self, records: Records, trials: list[Trial], failure: Failure) -> None:
        for (seq, raw), trial in zip(records, trials, strict=True):
            del self.trials.of[seq]
            self._give_up(self._letter(seq, raw, failure, trial), trial.was)

    def _letter(self, seq: int, raw: Any, failure: Failure, trial: Trial) -> DeadLetter:
        whole = not isinstance(raw, Oversized)
        return DeadLetter(
            seq=seq,
            raw=raw if whole else raw.head,
            failure=failure,
            attempts=trial.made,
            first_at=trial.first_at,
            last_at=self.clock.wall(),
            key=self._codec.key_of(raw) if whole else None,
            complete=whole,
        )

    def _give_up(self, letter: DeadLetter, was: Outcome | None) -> None:
        self._held[letter.seq] = was
        if was is not None:
            # It is known to fail, so it says nothing of how this run begins.
            self._bury([letter])
            return
        self._tell_guard()
        self._bury(self._guard.failed(letter))
        alarm = self._guard.alarm
        if alarm:
            self._stop.cancel(alarm, error=_systemic(alarm, letter))

    def _tell_guard(self) -> None:
        """Let the guard hear of the successes since it last did."""
        done = len(self.seqs) + len(self.filtered)
        if done > self._known and self._guard.watching:
            self._bury(self._guard.succeeded())
        self._known = done

    def _bury(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            was = self._held.pop(letter.seq)
            self.errors_by_type[letter.failure.type] += 1
            self.counts.failed += 1
            if was is None or was == "failed":
                self.draft.failed(letter, before=was is not None)
            else:
                self._note_rerun(letter)
            if self._guard.too_many(self.counts.failed, self.counts.settled + self._known):
                self._stop.drain("too many failures", error=_too_many(self.counts.failed, letter))

    def _note_rerun(self, letter: DeadLetter) -> None:
        self.failed_reruns += 1
        if self.failed_reruns <= NOTED:
            failure = letter.failure
            self._note(f"record {letter.seq} failed when it was run again ({failure.type}:"
                       f" {failure.message}); its result stands, and it waits for the next run",
                       "warning")  # fmt: skip

    def settle(self) -> None:
        """Move what the slots have reported into the draft of the next commit."""
        if self.latencies:
            self.histogram.add(self.latencies)
            self.called += len(self.latencies)
            self.latencies.clear()
        if not self.seqs and not self.filtered:
            return
        self._tell_guard()
        self._known = 0
        self.counts.succeeded += len(self.seqs)
        self.counts.filtered += len(self.filtered)
        if self.trials.of:
            self._settle_earlier()
        if self.seqs:
            self.draft.succeeded(self.seqs, self.rows)
        if self.filtered:
            self.draft.filtered(self.filtered)
        self.seqs.clear()
        self.rows.clear()
        self.filtered.clear()

    def _settle_earlier(self) -> None:
        """Settle the records among them that earlier runs knew, and leave the others."""
        earlier = self.trials.close(self.seqs)
        if earlier:
            self.seqs[:], self.rows[:], known = split(self.seqs, self.rows, earlier)
            for seq, row in known:
                self.draft.again(seq, earlier[seq], "succeeded", [row])
        earlier = self.trials.close(self.filtered)
        for seq, was in earlier.items():
            self.filtered.remove(seq)
            self.draft.again(seq, was, "filtered", [])

    def finish(self) -> None:
        """Settle all there is; dead letters that gave no alarm are written after all."""
        self.settle()
        if self._guard.alarm is None:
            self._bury(self._guard.release())


def _systemic(alarm: str, letter: DeadLetter) -> SystemicFailure:
    first = f"{letter.failure.type}: {letter.failure.message}".splitlines()[0]
    return SystemicFailure(
        f"{alarm}: {first}",
        hint="no dead letters were written for them; mend the task or its settings and run again"
        " (systemic_after = 0 switches this check off)",
    )


def _too_many(failed: int, letter: DeadLetter) -> TooManyFailures:
    return TooManyFailures(
        f"{failed} records failed, which is more than max_failures allows; the last one, seq"
        f" {letter.seq}: {letter.failure.type}: {letter.failure.message}",
        hint="see `batchmill failures`; run again to go on",
    )
