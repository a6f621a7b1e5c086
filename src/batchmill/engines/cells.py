"""What is a worker process calling right now? Told by memory that outlives it."""

from __future__ import annotations

import mmap
import os
import tempfile

_CELL = 2
"""Words of eight bytes that a lane has: the seq of its last call, and when that began."""
NOBODY = -1
IDLE = -1.0
"""Stands in place of when a call began where it has ended."""


class Cells:
    """Shared memory in which each lane of a worker notes its call, for the driver to read when the
    worker has died or hangs. A note costs a fraction of a microsecond and no system call."""

    def __init__(self, fd: int, lanes: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, (1 + lanes) * _CELL * 8)
        self._words = memoryview(self._map).cast("q")
        self._times = memoryview(self._map).cast("d")

    @classmethod
    def create(cls, lanes: int) -> Cells:
        """New cells, in which nobody calls anything. `fd` is to be handed to the worker."""
        cells = cls(shared_file((1 + lanes) * _CELL * 8), lanes)
        for lane in range(lanes):
            cells.clear(lane)
        return cells

    def of(self, lane: int) -> tuple[memoryview[int], memoryview[float], int]:
        """The words, the same memory as times, and where a lane's are: its seq, then its time.

        The time is to be written first: a seq is then never seen with the time of another.
        """
        return self._words, self._times, (lane + 1) * _CELL

    def clear(self, lane: int) -> None:
        """No call of the lane's next portion has begun."""
        self._times[(lane + 1) * _CELL + 1] = IDLE
        self._words[(lane + 1) * _CELL] = NOBODY

    def last(self, lane: int) -> int:
        """Seq of the last call of the lane's portion, whether it has ended or not; NOBODY if none
        has begun."""
        return self._words[(lane + 1) * _CELL]

    def calling(self, lane: int) -> tuple[int, float] | None:
        """Seq and start of the call, if there is one."""
        at = (lane + 1) * _CELL
        seq, began = self._words[at], self._times[at + 1]
        return None if seq == NOBODY or began == IDLE else (seq, began)

    def beat(self) -> None:
        """Show a sign of life while no call begins or ends."""
        self._words[0] += 1

    def signs(self) -> bytes:
        """All of it. What is alive changes it."""
        return self._map[:]

    def close(self) -> None:
        self._words.release()
        self._times.release()
        self._map.close()
        os.close(self.fd)


def shared_file(size: int) -> int:
    """The descriptor of a new file of so many zeros, which has no name."""
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        return os.dup(file.fileno())
