"""How are results found again in lines of JSON?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from .rows import Row


class JsonRows:
    """A result on every line.

    With `text_keys`, for records that are text, a number and its text are the same key: the task
    may have made the one of the other.
    """

    kind = "JSON"
    fields = None

    def __init__(self, *, text_keys: bool = False) -> None:
        self._text_keys = text_keys

    def head(self) -> bytes:
        return b""

    def go_on(self, pieces: Iterable[bytes], name: str) -> None:
        """Every line is as good as any other."""

    def rows(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        for line, offset in lines_of(pieces):
            yield Row(line, offset, parsed(line))

    def key(self, key: Any) -> Any:
        number = isinstance(key, int) and not isinstance(key, bool)
        return str(key) if self._text_keys and number else key

    def is_marked(self, value: object) -> bool:
        return bool(value)


def lines_of(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """The lines, without their ends, and the offset of each."""
    rest, offset = b"", 0
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line, offset
            offset += len(line) + 1
    if rest:
        yield rest, offset


def parsed(line: bytes) -> dict[str, Any] | None:
    """The result on this line, or None if there is none."""
    try:
        result = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return result if isinstance(result, dict) else None
