"""Results of a run, handed over while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain, islice, repeat
from queue import Empty, Full, Queue
from typing import Any

from ..records import Commit, OutcomeCode
from .memory import MemoryStore

PARCELS = 2
"""Commits that may wait to be taken; the run waits while there are more."""
LOOK_EVERY_S = 0.05
"""How often somebody who waits looks whether the other side is still there."""


class Outbox(MemoryStore):
    """Keeps what is committed until it is taken, in the order of the input. It needs a job with
    order="input". Commits wait for whoever takes it, and so does, at last, the reader."""

    commit_every_s = 0.02
    ahead = 1000

    def __init__(self) -> None:
        super().__init__()
        self._parcels: Queue[list[Any]] = Queue(PARCELS)
        self._closed = threading.Event()

    def commit(self, commit: Commit) -> None:
        """Hand over the outcome of each record: its result, its dead letter, or None."""
        outcomes = list(_outcomes_of(commit))
        self.counts.add(commit.counts)
        self.settle(commit)
        while outcomes and not self._closed.is_set():
            try:
                self._parcels.put(outcomes, timeout=LOOK_EVERY_S)
            except Full:
                continue
            return

    def close(self) -> None:
        """Nobody takes anything any more."""
        self._closed.set()

    def taken(self, running: threading.Thread) -> Iterator[Any]:
        """The outcomes, for as long as `running` lives or there are any."""
        while True:
            alive = running.is_alive()
            try:
                yield from self._parcels.get(timeout=LOOK_EVERY_S if alive else 0)
            except Empty:
                if not alive:
                    return


def _outcomes_of(commit: Commit) -> Iterator[Any]:
    """What became of each record, in order; blank lines are none."""
    rows = chain.from_iterable(commit.chunks)
    letters = {letter.seq: letter for letter in commit.dead_letters}
    for start, stop, code in commit.settled:
        match code:
            case OutcomeCode.BLANK:
                pass
            case OutcomeCode.FILTERED:
                yield from repeat(None, stop - start)
            case OutcomeCode.FAILED:
                yield from (letters[seq] for seq in range(start, stop))
            case _:
                yield from islice(rows, stop - start)
