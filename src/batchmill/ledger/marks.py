"""Where reading goes on after a restart."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ..records import Mark


class Marks:
    """The marks between the low-water mark and the reader.

    `resume` is the last mark at or below the low-water mark: a resume seeks there. `extent` is the
    furthest mark ever read: a later run compares the source up to it. Holds one mark for each block
    that the reader is ahead.
    """

    def __init__(self, resume: Mark, extent: Mark) -> None:
        self.resume = resume
        self.extent = extent
        self._ahead: deque[Mark] = deque()

    def add(self, marks: Iterable[Mark], low_water: int) -> None:
        """Take in marks that the reader has passed, and the new low-water mark."""
        for mark in marks:
            self._ahead.append(mark)
            if mark.offset > self.extent.offset:
                self.extent = mark
        while self._ahead and self._ahead[0].seq <= low_water:
            self.resume = self._ahead.popleft()

    def __repr__(self) -> str:
        return f"<Marks resume={self.resume.seq} extent={self.extent.seq} ahead={len(self._ahead)}>"
