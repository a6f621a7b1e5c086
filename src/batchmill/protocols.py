"""The seams: what a source, a sink, a store, an engine and an observer promise each other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from .events import Event
from .records import Block, Columns, Commit, Counts, Mark, Region, Requeued


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


class Observer(Protocol):
    """Something that watches a run. An exception it raises is logged once and it is dropped."""

    def on_event(self, event: Event) -> None:
        """Take in an event. Called from the driver, a few times a second at most, in order.

        It must return at once: the run waits for it.
        """
        ...
