"""For how long nobody starts a call, because a service asks for it, or seems to need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.capacity import Capacity
from ..core.pacing import Pacer
from ..records import Failure

NOTED = 20
"""Most pauses that are told one by one."""


class Pauses:
    """Does as the capacity decides: holds the pacer, and tells it when a pause begins."""

    def __init__(
        self,
        capacity: Capacity,
        pacer: Pacer,
        now: Callable[[], float],
        jitter: Callable[[], float],
        note: Callable[[str, str], None],
    ) -> None:
        self.in_flight: Callable[[], int] = lambda: 1
        """How many calls are being made, the one that is being reported included."""
        self._capacity = capacity
        self._pacer = pacer
        self._now = now
        self._jitter = jitter
        self._note = note
        self._begun = 0

    @property
    def until(self) -> float:
        """When the last pause is over."""
        return self._pacer.paused_until

    def busy_alone(self, seqs: Sequence[int]) -> int:
        """How often running, this time included, a busy service was so for these records alone."""
        return self._capacity.busy_alone(seqs) if self.in_flight() <= 1 else 0

    def pause(self, seqs: Sequence[int], asked_s: float, failure: Failure) -> float | None:
        """Take in that the service was too busy for these records, and asks to wait so long.

        Returns the seconds until they may be called again; None if the service is to be given up.
        """
        if not self._capacity.limited:
            self._tell(failure)
        now = self._now()
        wait_s = self._capacity.busy(seqs, asked_s, self.in_flight(), now, self._jitter())
        self._pacer.pause(self._capacity.resumes_at)
        return None if not asked_s and self._capacity.given_up(now) else wait_s

    def _tell(self, failure: Failure) -> None:
        self._begun += 1
        if self._begun <= NOTED:
            self._note(f"the service asks for a pause ({failure.type}: {failure.message}); calls"
                       " open up again by and by", "warning")  # fmt: skip
