"""How much a service bears that says "too fast", and not how fast.

The state of a run towards it: open (no limit is known), paused, probing (one call finds out whether
the pause was long enough), opening (more calls at a time, until it says so again).
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 8.0
"""Longest pause before the next probe. The first is FIRST_PAUSE_S; each probe that fails doubles
it."""
OTHERS_FIRST_S = 0.01
"""How much longer than the pause the record of a probe that failed waits, so that the next probe is
another one."""
MAX_DROUGHT_S = 900.0
"""How long a service may be too busy without one success before the run gives it up."""
CUT = 0.7
"""Share of the calls in flight, when it was too fast, up to which the service is trusted again."""
GROWTH = 0.1
"""By how much of that share more calls are made at a time, beyond it, each time as many were
answered as are in flight."""
LEAST_OPEN = 2.0
"""How many calls are made at a time after a probe that was answered, at least."""


class State(Enum):
    OPEN = "open"
    PAUSED = "paused"
    PROBING = "probing"
    OPENING = "opening"


class Capacity:
    """Decides how long all calls pause, and how many are made at a time afterwards.

    The pauses grow as 0.05, 0.1, 0.2, ... up to 8 s, each drawn evenly from its upper half. After a
    pause one call is made. If that is answered, calls open up as TCP does after a loss (RFC 5681):
    at once to half of what is trusted, or less by half for every probe that failed before; twofold
    in each round up to what is trusted; then by a tenth of it in each round. What calls that were
    in flight when a pause began are answered changes nothing.

    It holds no clock: times are seconds on whatever clock the caller keeps to; `jitter` is drawn
    evenly from [0, 1). Calls that need no limit cost nothing: `limited` is False.
    """

    def __init__(self, most: int) -> None:
        """`most` is how many calls the run makes at a time."""
        self.state = State.OPEN
        self.resumes_at = 0.0
        """Until when nothing may start."""
        self._most = most
        self._trusted = float(most)
        self._window = float(most)
        self._probe: Collection[int] = ()
        self._failed_probes = 0
        self._dry_since: float | None = None
        self._suspect: tuple[int, ...] = ()
        self._suspicion = 0

    @property
    def limited(self) -> bool:
        """Whether calls are made only as `room` allows."""
        return self.state is not State.OPEN

    def room(self, in_flight: int) -> int:
        """How many calls may be started besides those in flight, once the pause is over."""
        if self.state is State.OPEN:
            return self._most
        if self.state is State.OPENING:
            return max(0, int(self._window) - in_flight)
        return 1 if self.state is State.PAUSED or not in_flight else 0

    def began(self, seqs: Collection[int]) -> None:
        """A call for these records was given out; the first after a pause is the probe."""
        if self.state in (State.PAUSED, State.PROBING):
            self.state = State.PROBING
            self._probe = seqs

    def busy(
        self, seqs: Collection[int], asked_s: float, in_flight: int, now: float, jitter: float
    ) -> float:
        """The service was too busy for these records, and asks to wait `asked_s` (0 if it does not
        say). Returns how many seconds from now these may be called again; nothing may start
        before `resumes_at`."""
        if self._dry_since is None and not asked_s:
            self._dry_since = now
        if in_flight <= 1:
            self._suspicion, self._suspect = self.busy_alone(seqs), tuple(seqs)
        probed = self._is_probe(seqs)
        if probed:
            self._pause(self._failed_probes + 1, now, jitter)
        elif self.state in (State.OPEN, State.OPENING):
            self._trusted = max(1.0, in_flight * CUT)
            self._pause(0, now, jitter)
        self.resumes_at = max(self.resumes_at, now + asked_s)
        return max(self.resumes_at - now, FIRST_PAUSE_S / 2) + (OTHERS_FIRST_S if probed else 0.0)

    def busy_alone(self, seqs: Collection[int]) -> int:
        """How often running, this time included, the service was too busy for these records while
        no other call was being made. That it was too busy for others, too, begins a new count."""
        return self._suspicion + 1 if tuple(seqs) == self._suspect else 1

    def _pause(self, failed_probes: int, now: float, jitter: float) -> None:
        self.state = State.PAUSED
        self._failed_probes = failed_probes
        longest_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failed_probes, 32))
        self.resumes_at = now + longest_s * (1 + jitter) / 2

    def served(self, seqs: Collection[int]) -> None:
        """The service has answered calls for these records."""
        self._dry_since = None
        if self._is_probe(seqs):
            self.state = State.OPENING
            self._window = max(LEAST_OPEN, self._trusted * 0.5 ** (1 + self._failed_probes))
        elif self.state is State.OPENING:
            for _ in seqs:
                self._grow()
        if self.state is State.OPENING and self._window >= self._most:
            self.state = State.OPEN

    def _grow(self) -> None:
        slowly = max(1.0, self._trusted * GROWTH) / self._window
        self._window += 1.0 if self._window < self._trusted else slowly

    def returned(self, seqs: Collection[int]) -> None:
        """These records were not called after all, or their failure says nothing of the service."""
        if self._is_probe(seqs):
            self.state = State.PAUSED

    def _is_probe(self, seqs: Collection[int]) -> bool:
        return self.state is State.PROBING and any(seq in self._probe for seq in seqs)

    def given_up(self, now: float) -> bool:
        """Whether the service has been too busy for so long that the run should end."""
        return self._dry_since is not None and now - self._dry_since >= MAX_DROUGHT_S

    def __repr__(self) -> str:
        return f"<Capacity {self.state.value} window={self._window:.3g} of {self._most}>"
