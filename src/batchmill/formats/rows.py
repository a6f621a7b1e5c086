"""How do the results lie in an output, so that they can be read again?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple, Protocol


class Row(NamedTuple):
    """A row as it lies in the output, without its last newline."""

    raw: bytes
    offset: int
    """Where it begins, in bytes before compression."""
    result: dict[str, Any] | None
    """None if it cannot be read."""
    is_head: bool = False
    """Whether it is no result but the header."""


class RowFormat(Protocol):
    """The format of an output, for everything that reads it again."""

    kind: str
    """What every row should be: "JSON"."""

    @property
    def fields(self) -> Collection[str] | None:
        """What every row of the output has, once it was taken up; None where each has its own."""
        ...

    def head(self) -> bytes:
        """What stands before the first row of an output."""
        ...

    def go_on(self, pieces: Iterable[bytes], name: str) -> None:
        """Take up what an output that `pieces` are of, and that is to be continued, has settled.

        Raises Changed if it cannot be continued like that.
        """
        ...

    def rows(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        """The rows of the whole output, of which `pieces` are the bytes in order."""
        ...

    def key(self, key: Any) -> Any:
        """A key, of a record or of a result, as both are compared."""
        ...

    def is_marked(self, value: object) -> bool:
        """Whether the value of a result's `rerun_key` means that it is to be run again."""
        ...
