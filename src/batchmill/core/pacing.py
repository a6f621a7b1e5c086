"""When may the next call start? A rate that holds over every window, and pauses."""

from __future__ import annotations

from ..options import Rate

SLACK_SHARE = 0.01
MAX_SLACK_S = 0.05
"""How late a start may be and still be made up for: a timer wakes up to some milliseconds late."""


class Pacer:
    """Spaces starts evenly by the generic cell rate algorithm (ITU-T I.371, Annex A).

    A start conforms while it is no earlier than its theoretical time less the tolerance
    tau = slack + (burst - 1) * interval. A window of `period_s`, its end not included, then has at
    most (period_s + tau) / interval starts, so the interval is

        (period_s + slack) / (count - burst + 1)

    and no window has more than `count`. `slack` lets a start that a late timer held up be made up
    for; it costs at most one part in a hundred of the rate. A burst is paid for by the steady rate.

    It holds no clock: times are seconds on whatever clock the caller keeps to.
    """

    def __init__(self, rate: Rate | None, burst: int = 1) -> None:
        self._interval_s = 0.0
        self._tolerance_s = 0.0
        if rate:
            slack_s = min(MAX_SLACK_S, rate.period_s * SLACK_SHARE)
            self._interval_s = (rate.period_s + slack_s) / (rate.count - burst + 1)
            self._tolerance_s = slack_s + (burst - 1) * self._interval_s
        self.theoretical_at: float | None = None
        """When the next start would be if all were spaced evenly; None before the first."""
        self.paused_until = 0.0

    @property
    def limited(self) -> bool:
        """Whether there is a rate to keep."""
        return self._interval_s > 0

    def pause(self, until: float) -> None:
        """Let nothing start before `until`."""
        self.paused_until = max(self.paused_until, until)

    def take(self, wanted: int, now: float) -> int:
        """How many of `wanted` calls may start now; they count as started."""
        if now < self.paused_until:
            return 0
        if not self.limited:
            return wanted
        granted = 0
        while granted < wanted and self._due_at(now) <= now:
            self.theoretical_at = max(now, self.theoretical_at or 0.0) + self._interval_s
            granted += 1
        return granted

    def refund(self, count: int) -> None:
        """Take back `count` starts that were granted and not made after all."""
        if self.theoretical_at is not None:
            self.theoretical_at -= count * self._interval_s

    def state(self, now: float) -> float:
        """How far, in seconds, the theoretical time of the next start lies ahead of `now`: 0 where
        what has been started constrains nothing any more. What a later pacer is to `resume`."""
        return max(0.0, (self.theoretical_at or now) - now)

    def resume(self, ahead_s: float, now: float) -> None:
        """Go on as after the starts of an earlier run, whose `state` is `ahead_s` by now.

        It is cut to what starts that kept to the rate can come to, so that a clock that was set
        back stops nobody for longer than one interval and the tolerance. After a run that was
        killed nobody knows its last start: `ahead_s` = infinity is as if a call had just begun with
        all that may start at once.
        """
        if self.limited:
            most_s = self._tolerance_s + self._interval_s
            self.theoretical_at = now + min(max(self._tolerance_s, ahead_s), most_s)

    def wait_s(self, now: float) -> float:
        """Seconds until one call may start."""
        paused_s = max(0.0, self.paused_until - now)
        if not self.limited:
            return paused_s
        return max(paused_s, self._due_at(now) - now)

    def _due_at(self, now: float) -> float:
        """The earliest moment of the next start. The first is now: a run begins without a burst,
        so that one which crashes and starts again all the time keeps to its rate."""
        if self.theoretical_at is None:
            self.theoretical_at = now + self._tolerance_s
        return self.theoretical_at - self._tolerance_s

    def __repr__(self) -> str:
        return f"<Pacer interval_s={self._interval_s:.6g} theoretical_at={self.theoretical_at}>"
