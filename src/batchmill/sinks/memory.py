"""Results and dead letters in memory, for a job without a sink."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from ..core.progress import Progress
from ..records import Commit, Counts, DeadLetter, Requeued


class MemoryStore:
    """Keeps everything until the end of the run, and nothing beyond it."""

    commit_every_s = 0.5
    ahead: int | None = None
    """How many records may be read before the first of them is committed, while a commit waits;
    None for the usual."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.counts = Counts()
        self.results: list[Any] = []
        self.letters: list[DeadLetter] = []

    def commit(self, commit: Commit) -> None:
        self.results.extend(chain.from_iterable(commit.chunks))
        self.letters.extend(commit.dead_letters)
        self.counts.add(commit.counts)
        self.settle(commit)

    def settle(self, commit: Commit) -> None:
        """Note what is settled."""
        for start, stop, code in commit.settled:
            self.progress.settle(start, stop, code)
        self.progress.forget()

    def requeued(self) -> Iterator[Requeued]:
        return iter(())
