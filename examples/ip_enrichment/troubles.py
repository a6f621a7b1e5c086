"""What goes wrong at a service, the same way every time: limits, failures and slow answers."""

import zlib

SLOW_PERCENT = 2
FAILING_PERCENT = 2


class RateWindow:
    """At most `limit` calls in each window of `window_s` seconds, counted from its first call."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._ends = 0.0
        self._used = 0

    def take(self, now: float) -> float:
        """Take one call; the seconds to wait if the window has none left, else 0."""
        if now >= self._ends:
            self._ends, self._used = now + self._window_s, 0
        if self._used >= self._limit:
            return self._ends - now
        self._used += 1
        return 0.0


def failures(ip: str) -> int:
    """How many calls for this address fail before one succeeds: 0, 1 or 2."""
    percent, rest = _lot(ip)
    return 1 + rest % 2 if percent < FAILING_PERCENT else 0


def delay_s(ip: str) -> float:
    """How long this address keeps its caller waiting: nothing, or between 0.5 and 1 second."""
    percent, rest = _lot(ip)
    slow = FAILING_PERCENT <= percent < FAILING_PERCENT + SLOW_PERCENT
    return 0.5 + rest % 51 / 100 if slow else 0.0


def _lot(ip: str) -> tuple[int, int]:
    number = zlib.crc32(ip.encode())
    return number % 100, number // 100
