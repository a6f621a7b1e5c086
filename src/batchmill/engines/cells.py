"""What is a worker process calling right now? Told by memory that outlives it."""

from __future__ import annotations

import mmap
import os
import tempfile

_CELL = 2
"""Words of eight bytes that a lane has: seq, and when its call began."""
NOBODY = -1


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
        with tempfile.TemporaryFile() as file:
            file.truncate((1 + lanes) * _CELL * 8)
            cells = cls(os.dup(file.fileno()), lanes)
        for lane in range(lanes):
            cells.clear(lane)
        return cells

    def of(self, lane: int) -> tuple[memoryview[int], memoryview[float], int]:
        """The words, the same memory as times, and where a lane's are: its seq, then its time.

        The time is to be written first: a seq is then never seen with the time of another.
        """
        return self._words, self._times, (lane + 1) * _CELL

    def clear(self, lane: int) -> None:
        """No call is being made."""
        self._words[(lane + 1) * _CELL] = NOBODY

    def calling(self, lane: int) -> tuple[int, float] | None:
        """Seq and start of the call, if there is one."""
        at = (lane + 1) * _CELL
        seq = self._words[at]
        return None if seq == NOBODY else (seq, self._times[at + 1])

    @property
    def halted(self) -> bool:
        """Whether the worker is to begin with no other call."""
        return self._words[0] != 0

    def halt(self) -> None:
        self._words[0] = 1

    def close(self) -> None:
        self._words.release()
        self._times.release()
        self._map.close()
        os.close(self.fd)
