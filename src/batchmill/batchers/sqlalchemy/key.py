"""Which row does an item mean?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from ...errors import ConfigError
from .columns import Values, columns_of, named

KeyValues = tuple[Any, ...]


class Key:
    """The columns that tell rows apart."""

    def __init__(self, table: sa.Table, key: Any) -> None:
        """`key` is one or a list of columns; None for the primary key.

        Raises ConfigError if there is neither.
        """
        columns = columns_of(table, key) or list(table.primary_key)
        if not columns:
            raise ConfigError(f"table {table.name} has no primary key", hint="give key=[...]")
        self.columns = [named(table, column.key) for column in columns]
        self.names = [column.key for column in self.columns]

    def of_row(self, row: Values) -> KeyValues:
        """The values of the key in a row. Raises ValueError if one is missing or None."""
        missing = [name for name in self.names if row.get(name) is None]
        if missing:
            raise ValueError(f"the row has no {', '.join(missing)} to find it by")
        return tuple(row[name] for name in self.names)

    def of_item(self, item: Any) -> KeyValues:
        """The values that stand alone: one, or a tuple of as many as the key has columns.

        Raises ValueError for a tuple of another length.
        """
        if len(self.names) == 1:
            return (item,)
        if isinstance(item, tuple) and len(item) == len(self.names):
            return item
        raise ValueError(f"{item!r} is not a tuple of ({', '.join(self.names)})")

    def is_at(self, values: KeyValues) -> Any:
        """The condition that a row has these values."""
        pairs = zip(self.columns, values, strict=True)
        return sa.and_(*(column == value for column, value in pairs))


def sift(
    batch: Sequence[Any], key_values: Callable[[Any], KeyValues]
) -> tuple[list[Any], dict[int, KeyValues]]:
    """The results so far, that is the errors of the items without a key; the keys of the others."""
    results: list[Any] = [None] * len(batch)
    keys: dict[int, KeyValues] = {}
    for place, item in enumerate(batch):
        try:
            keys[place] = key_values(item)
        except ValueError as error:
            results[place] = error
    return results, keys
