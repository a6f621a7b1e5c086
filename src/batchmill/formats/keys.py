"""What is the key of a record?"""

from __future__ import annotations

from typing import Any

from ..errors import MissingKey


def key_in(record: Any, key: str) -> str | int:
    """The value of the field `key`. Raises MissingKey if there is none that can name a record."""
    value = record.get(key, _ABSENT) if isinstance(record, dict) else getattr(record, key, _ABSENT)
    if value is _ABSENT:
        raise MissingKey(f"the record has no {key!r}")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MissingKey(f"the record's {key!r} is {value!r}; a key is a string or an integer")
    return value


_ABSENT = object()
