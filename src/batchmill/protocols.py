"""The seams: what a source, a sink, a store, an engine and an observer promise each other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable

from .events import Event
from .records import Block, Columns, Commit, Counts, Failure, Mark, Region, Requeued, Taken


class Source(Protocol):
    """Where records come from: the same records in the same order whenever it is read again."""

    name: str

    def identity(self) -> dict[str, Any]:
        """Cheap facts that change when the source does (size, time of change), as JSON values.

        Empty where there are none to be had; `holds` is then always asked.
        """
        ...

    def holds(self, mark: Mark) -> bool:
        """Whether everything before `mark` is still what it was when `mark` was made.

        True where that cannot be told without using up the source; `blocks` then finds out.
        """
        ...

    def blocks(self, mark: Mark) -> Iterator[Block]:
        """The blocks from `mark` to the end, each non-empty, each beginning where the last ended.

        Called by one reader at a time. Raises SourceError when the source cannot be read further
        or changes under it, Changed when what lies before `mark` is not what it was.
        """
        ...

    def fraction(self, mark: Mark) -> float | None:
        """How much of the source lies before `mark`, from 0 to 1; None if that is not known."""
        ...


@runtime_checkable
class Arriving(Protocol):
    """A source, besides, whose records may keep their reader waiting for as long as they like."""

    def arriving(
        self, mark: Mark, ready: Callable[[], None], together: int
    ) -> Generator[Block, None, None]:
        """As `blocks`, and never waits: an empty block says that there is nothing yet.

        `ready` is then called once, in whatever thread, when there is more. Where one call takes
        several records, `together`, blocks are cut so that calls are full, as far as that is
        worth waiting for. Closing it lets go what is read from, in the thread that reads it.
        """
        ...


class Sink(Protocol):
    """Where results go. Called from one thread at a time."""

    name: str
    commit_every_s: float
    """How often a commit suits this sink, unless the job says otherwise."""

    def open(self, length: int, crc: int) -> int:
        """Make ready to append at `length`, the committed end, and cut off what lies behind it.

        `crc` is the CRC-32 of what stands. Returns the number of bytes cut off.
        Raises Changed if there is less than `length`.
        """
        ...

    def append(self, chunks: Sequence[Any]) -> Region:
        """Make these chunks durable behind the committed end.

        After an error nothing of them counts: what was written lies behind the committed end.
        """
        ...

    def close(self) -> None: ...


class Settled(Protocol):
    """Which records have an outcome (see core/progress.py)."""

    low_water: int
    """Every record below it is settled."""

    def gaps(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """The ranges of records between `start` and `stop` that are not settled."""
        ...

    def next_pending(self, seq: int) -> int:
        """The first record from `seq` on that is not settled."""
        ...

    def copy(self) -> Settled:
        """The same as of now, whatever is settled afterwards."""
        ...


class Store(Protocol):
    """Where outcomes become durable: sink and ledger as one. Owned by one committer, which calls it
    from a thread of its own, one call at a time."""

    @property
    def progress(self) -> Settled:
        """What is settled, as of the last commit."""
        ...

    @property
    def counts(self) -> Counts:
        """What became of the records, over all runs, as of the last commit."""
        ...

    def commit(self, commit: Commit) -> None:
        """Make `commit` durable: all of it or, on an error, nothing.

        Raises CommitFailed if it cannot be written, Fenced if another run has taken the job over.
        """
        ...

    def requeued(self) -> Iterator[Requeued]:
        """Records of earlier runs that are to be called again, in order of seq."""
        ...


class Reader(Protocol):
    """How raw records become the task's records, where the task runs."""

    @property
    def decode(self) -> Callable[[Any], Any]:
        """Raw record to record. Any exception means that it is invalid; `explain` says how."""
        ...

    def key_of(self, raw: Any) -> str | int | None:
        """The record's key; None if it has none, or cannot be read."""
        ...

    def explain(self, error: Exception, raw: Any) -> Exception | None:
        """The RecordError for what `decode` raised on `raw`; None if `raw` is a blank line."""
        ...


class Writer(Protocol):
    """How results become rows of the sink, where the task runs."""

    columns: Columns | None
    """What the rows share, for a format that has columns."""
    empty: bytes | None
    """The row of an empty list of results; None where a row is a result as it is."""

    @property
    def encode(self) -> Callable[[Any], Any]:
        """Result to row. Raises UnencodableResult or WrongResult."""
        ...

    @property
    def join(self) -> Callable[[list[Any]], Any]:
        """Rows to one chunk for the sink, in order. Called by the driver only."""
        ...


class Codec(Reader, Writer, Protocol):
    """Both: a source's reader and a sink's writer."""


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


class Observer(Protocol):
    """Something that watches a run. An exception it raises is logged once and it is dropped."""

    def on_event(self, event: Event) -> None:
        """Take in an event. Called from the driver, a few times a second at most, in order.

        It must return at once: the run waits for it.
        """
        ...
