"""When a worker may begin a call, in memory that the driver and all its workers share."""

from __future__ import annotations

import contextlib
import fcntl
import math
import mmap
import os
from collections.abc import Iterator

from ..core.pacing import Pacer
from .cells import shared_file

_HELD, _ASKED, _THEORETICAL = 0, 1, 2
_BYTES = 24
BUSY_S = 0.001
"""How long to wait where another process is taking a start."""


class Board:
    """Holds all workers back, and spaces their starts.

    The driver decides when a record may be called, and hands it over; but what is handed over
    arrives late, or while a worker is being started. So the pace is taken once more when the call
    can begin: what is late moves what follows, and no window has more starts than the rate allows.
    """

    def __init__(self, fd: int, pacer: Pacer) -> None:
        self.fd = fd
        self._pacer = pacer
        self._map = mmap.mmap(fd, _BYTES)
        self._times = memoryview(self._map).cast("d")

    @classmethod
    def create(cls, pacer: Pacer) -> Board:
        """A new one, which holds nobody back. `fd` is to be handed to the workers."""
        return cls(shared_file(_BYTES), pacer)

    def wait_s(self, now: float) -> float:
        """Seconds of the monotonic clock until a call may begin; not above 0 if one may now."""
        return max(self._times[_HELD], self._times[_ASKED]) - now

    def hold(self, until: float) -> None:
        """The driver's word: let nothing begin before `until`, and heed nothing else."""
        if self._times[_HELD] != until:
            self._times[_HELD] = until

    def ask(self, until: float) -> None:
        """A worker's word: let nothing begin before `until`, if the driver does not say more."""
        self._times[_ASKED] = until

    def answer(self, until: float) -> None:
        """The driver's word on what was asked for."""
        self.hold(until)
        self._times[_ASKED] = 0.0

    def halt(self) -> None:
        """Let nothing begin any more."""
        self._times[_HELD] = math.inf

    def take_start(self, now: float) -> float:
        """Seconds to wait before asking again; 0 if a call may begin now, which counts as begun."""
        if not self._pacer.limited:
            return 0.0
        with self._alone() as alone:
            return self._take_start(now) if alone else BUSY_S

    def _take_start(self, now: float) -> float:
        self._pacer.theoretical_at = self._times[_THEORETICAL] or None
        taken = self._pacer.take(1, now)
        self._times[_THEORETICAL] = self._pacer.theoretical_at or 0.0
        return 0.0 if taken else self._pacer.wait_s(now)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process is in this block; the kernel lets go for one that dies in it."""
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def close(self) -> None:
        self._times.release()
        self._map.close()
        os.close(self.fd)
