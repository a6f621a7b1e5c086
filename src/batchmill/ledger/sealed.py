"""Rows that carry a checksum of their own, so that a bit that turned is noticed when it is read."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any


def check_of(values: Iterable[Any]) -> int:
    """CRC-32 of values as SQLite keeps them: text, whole numbers, bytes and None."""
    parts = [each if isinstance(each, bytes) else repr(each).encode() for each in values]
    lengths = ",".join(map(str, map(len, parts))).encode()
    return zlib.crc32(b"".join((lengths, *parts)))


def sealed(values: Sequence[Any]) -> tuple[Any, ...]:
    """A row with its checksum behind it."""
    return (*values, check_of(values))


def is_sound(row: sqlite3.Row) -> bool:
    """Whether a row is what was written; one of a table without a checksum is taken as it is."""
    *values, check = tuple(row)
    return row.keys()[-1] != "checksum" or check == check_of(values)


def put(db: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows, sealed, in place of those with the same key. Takes them one by one, so that no
    more of them is in memory than `rows` holds."""
    left = map(sealed, rows)
    first = next(left, None)
    if first is not None:
        marks = ", ".join("?" * len(first))
        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", chain([first], left))
