"""Which dead letters are written, and when they end the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..core.guard import Guard
from ..records import Counts, DeadLetter, Outcome
from .draft import Draft
from .endings import systemic, too_many
from .stop import Stop

NOTED = 20
"""Most failed reruns that are told one by one."""


class Letters:
    """Takes in records that failed for good; adds their dead letters to the draft once the guard
    lets them go, and stops the run when it says so."""

    def __init__(
        self,
        guard: Guard,
        draft: Draft,
        counts: Counts,
        stop: Stop,
        note: Callable[[str, str], None],
    ) -> None:
        self.by_type: Counter[str] = Counter()
        self.failed_reruns = 0
        self._guard = guard
        self._draft = draft
        self._counts = counts
        self._stop = stop
        self._note = note
        self._heard = 0
        """How many of the successes that are not yet counted the guard has heard of."""
        self._held: dict[int, Outcome | None] = {}
        """What the records whose dead letters the guard holds back were before."""

    def add(self, letter: DeadLetter, was: Outcome | None) -> None:
        """Take in a record that failed for good; `was` is its outcome in an earlier run."""
        self._held[letter.seq] = was
        if was is not None:
            # It is known to fail, so it says nothing of how this run goes.
            self._write([letter])
            return
        self._write(self._guard.failed(letter))
        if self._guard.alarm and not self._stop.asked:
            self._stop.cancel(self._guard.alarm, error=systemic(self._guard.alarm, letter))

    def hear(self, done: int) -> None:
        """Let the guard hear of the successes; `done` of them are not yet counted."""
        if done > self._heard and self._guard.watching:
            self._write(self._guard.succeeded())
        self._heard = done

    def counted(self) -> None:
        """The successes heard of are counted by now."""
        self._heard = 0

    def let_go(self) -> bool:
        """Write what is held back and gave no alarm; whether there was any."""
        held = self._guard.release()
        self._write(held)
        return bool(held)

    def close(self) -> None:
        """Write no other dead letter: the run is to end for a cause outside of the records."""
        self._guard.close()

    def _write(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            if self._guard.closed:
                return
            self._write_one(letter, self._held.pop(letter.seq))

    def _write_one(self, letter: DeadLetter, was: Outcome | None) -> None:
        self.by_type[letter.failure.type] += 1
        self._counts.failed += 1
        if was is None or was == "failed":
            self._draft.failed(letter, before=was is not None)
        else:
            self._note_rerun(letter)
        if self._guard.too_many(self._counts.failed, self._counts.settled + self._heard):
            self._stop.drain("too many failures", error=too_many(self._counts.failed, letter))

    def _note_rerun(self, letter: DeadLetter) -> None:
        self.failed_reruns += 1
        if self.failed_reruns <= NOTED:
            failure = letter.failure
            self._note(f"record {letter.seq} failed when it was run again ({failure.type}:"
                       f" {failure.message}); its result stands, and it waits for the next run",
                       "warning")  # fmt: skip
