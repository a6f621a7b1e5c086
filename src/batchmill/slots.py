"""The seam between the flow and an engine: what slots take records from and report to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from .records import Failure, Taken


class Feed(Protocol):
    """What the slots of an engine take records from; shared by all slots of a run."""

    piece: Iterator[tuple[int, Any]]
    """(seq, raw record) pairs that may be called now. Shared: take one, call it, take the next."""
    until: float
    """When the piece is over, on the run's clock: a slot that is through with a record later than
    that, or with one that failed, asks for `more`."""

    @property
    def paced(self) -> bool:
        """Whether starts are rationed, by now: a slot then takes no record that it does not start
        at once."""
        ...

    async def more(self) -> bool:
        """Wait until `piece` has a record; False when there will be none, and the slot may end.

        What the slots have reported so far is settled in passing.
        """
        ...

    async def take(self, most: int) -> Taken:
        """Wait for a record, then take up to `most` that may be called now; none at the end.

        Where a call takes several records, these are the records of one call.
        """
        ...


class Desk(Protocol):
    """Where the slots report outcomes. Every record taken from the feed is reported just once, one
    by one in the order in which they end.

    What is counted has one source. The calls of a run are the `latencies`. The attempts of a record
    are the calls that held it, over all runs, and the retries of a run those that held a record
    which it had called before: `failed`, `failed_together` and `died` each say that one such call
    has ended, and so does an outcome; `returned` says that there was none.
    """

    seqs: list[int]
    rows: list[Any]
    """Seqs and rows of records that succeeded, appended in step."""
    filtered: list[int]
    """Seqs of records for which the task returned None."""
    rowless: list[tuple[int, Any]]
    """Seq and key of records that succeeded without a row or were filtered, where the job has a key
    and a sink: it is all that is left to know them by, should progress have to be found again."""
    latencies: list[float]
    """Seconds a call took: one for every call of the task that was begun, whether it returned,
    raised, was given up, was left behind, or its process died. A call for several records is one.
    A record that could not be read was not called.

    These lists stay the same objects throughout the run."""

    @property
    def paused_until(self) -> float:
        """No call is to begin before this moment of the run's clock. Known once a failure that
        asks for it has been reported."""
        ...

    def blank(self, seq: int) -> None:
        """It was no record, just a blank line."""
        ...

    def failed(self, seq: int, raw: Any, error: BaseException | Failure) -> None:
        """An attempt failed; the desk decides what follows."""
        ...

    def failed_together(
        self, records: Sequence[tuple[int, Any]], error: BaseException | Failure
    ) -> None:
        """A call for these records failed as a whole."""
        ...

    def died(self, records: Sequence[tuple[int, Any]], error: BaseException) -> None:
        """The process died that was making this call. It is charged to a record only once that is
        known to be the one that did it."""
        ...

    def alone(self, seq: int) -> bool:
        """Whether a process may have died of this record: it is called where nothing else is."""
        ...

    def returned(self, seq: int, raw: Any) -> None:
        """The record was not called after all; it is to be called again, at no charge."""
        ...

    def lost(self, seq: int, raw: Any) -> None:
        """The record was called, and what came of it was lost with a process that died. It is to be
        called again, at no charge; the call counts among those that held it."""
        ...

    def attempt(self, seq: int) -> int:
        """The number of the call of this run that is under way for this record, from 1."""
        ...

    def attempts(self, seqs: Sequence[int]) -> dict[int, int]:
        """The same for those among many records that have been tried before."""
        ...


class Engine(Protocol):
    """Where the task runs. Entering it starts the task up, leaving it shuts it down."""

    name: str
    slots: int
    """How many times `serve` is to run at a time."""
    calls: int
    """How many calls it makes at a time."""
    together: int
    """How many records one call takes at most."""

    def open(self) -> AbstractAsyncContextManager[Any]:
        """Run the task's `on_startup` and `on_shutdown` around the run."""
        ...

    async def serve(self, feed: Feed, desk: Desk) -> None:
        """Be one slot: call records of `feed` and report to `desk` until the feed ends."""
        ...

    def expire(self, now: float) -> None:
        """Give up calls that have run past the time limit. Called a few times in that time."""
        ...

    def drain(self) -> None:
        """Start no call that has not been started: such records are reported as `returned`."""
        ...

    def cancel(self) -> None:
        """Give up every call in flight; their records are reported as `returned`. The slots end."""
        ...

    def oldest(self) -> tuple[int, float] | None:
        """Seq and start of the call that has been running longest."""
        ...
