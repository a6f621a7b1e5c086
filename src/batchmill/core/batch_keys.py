"""Things found by a key of the user's, and always let go of again.

A key may change while it waits, hash to what it likes, and raise when it is compared. It is asked
only by `find`, so whatever it does hits the one who brings it; letting go asks it nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class ByKey(Generic[V]):
    """Values by the hash that their key had when it came, and the key. Equal keys are one key."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[int, list[tuple[Any, V]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def __iter__(self) -> Iterator[V]:
        return (value for row in self._rows.values() for _, value in row)

    def find(self, hashed: int, key: Any) -> V | None:
        """The value of an equal key. Raises what comparing raises."""
        for known, value in self._rows.get(hashed, ()):
            if known is key or known == key:
                return value
        return None

    def put(self, hashed: int, key: Any, value: V) -> None:
        """Keep `value` under a key that is not found."""
        self._rows.setdefault(hashed, []).append((key, value))

    def remove(self, hashed: int, value: V) -> None:
        """Let go of this very `value`, which was put under a key with this hash."""
        staying = [pair for pair in self._rows.pop(hashed, ()) if pair[1] is not value]
        if staying:
            self._rows[hashed] = staying

    def clear(self) -> None:
        self._rows.clear()
