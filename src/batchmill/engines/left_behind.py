"""The bound on calls that go on although they were given up."""

from __future__ import annotations

import asyncio

from ..errors import BatchmillError

MOST_PER_SLOT = 2
"""Most calls that are left behind, for each one that runs at a time, but MOST of them in any case.
At that bound no other call is begun in their place until one of them has ended."""
MOST = 32
LEAST_WAIT_S = 30.0
"""How long is waited for that at least; a longer time limit of calls is waited for."""


class LeftBehind:
    """Counts the calls of one run that were given up and have not ended."""

    def __init__(self, slots: int, timeout_s: float | None) -> None:
        self.count = 0
        self.most = max(MOST, MOST_PER_SLOT * slots)
        self._wait_s = max(LEAST_WAIT_S, timeout_s or 0.0)
        self._changed = asyncio.Event()
        self._stopped = False

    def add(self) -> None:
        """Another call was left behind."""
        self.count += 1

    def ended(self) -> None:
        """One of them has ended. To be called in the event loop."""
        self.count -= 1
        self._changed.set()

    def stop(self) -> None:
        """No other call is begun anyway, so nobody has to wait."""
        self._stopped = True
        self._changed.set()

    async def room(self) -> None:
        """Wait until another call may be begun.

        Raises BatchmillError if none of those left behind ends within 30 s or `timeout_s`,
        whichever is longer.
        """
        while self.count >= self.most and not self._stopped:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._wait_s):
                    await self._changed.wait()
            except TimeoutError:
                raise self._too_many() from None

    def _too_many(self) -> BatchmillError:
        return BatchmillError(
            f"{self.count} calls go on although they have passed timeout_s, and none of them has "
            f"ended for {self._wait_s:g} s",
            hint="give what the task waits for a time limit of its own, such as requests' timeout;"
            ' or use run.engine = "process", where a call that hangs is ended',
        )
