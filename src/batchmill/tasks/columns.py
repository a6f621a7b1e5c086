"""What are the columns of a batch of records, and what does each of them hold?"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from ..errors import InvalidRecord
from .rows import kind_of

EXACT = 1 << 53
"""Largest integer up to which every integer is a float."""
MAX_DEPTH = 64
"""Deepest nesting that is looked into; what is deeper is of mixed kind."""

MISSING, BOOL, INT, UINT, HUGE = "missing", "bool", "int", "uint", "huge"
FLOAT, NUMBER, TEXT, BYTES, MIXED = "float", "number", "text", "bytes", "mixed"
"""Kinds of values; None may be among the values of each.

INT fits in 64 bits, UINT in 64 bits without sign, HUGE in neither. NUMBER is integers among
floats, each of which is a float exactly. MIXED is what has no common type.
"""


@dataclass(frozen=True, slots=True)
class ListOf:
    """Lists, and what is in all of them."""

    items: Kind


@dataclass(frozen=True, slots=True)
class Fields:
    """Dicts, and what is under each of their names in all of them."""

    fields: dict[str, Kind]


@dataclass(frozen=True, slots=True)
class Other:
    """Values of one other type: times, decimals."""

    type: type


Kind = str | ListOf | Fields | Other

_OTHERS: tuple[type, ...] = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta,
                             decimal.Decimal, uuid.UUID)  # fmt: skip
_GROUPS: dict[type, Any] = {bool: BOOL, int: INT, float: FLOAT, str: TEXT, bytes: BYTES,
                            list: list, tuple: list, dict: dict}  # fmt: skip
_GROUPS |= {each: each for each in _OTHERS}


def columns_of(records: list[Any], form: str) -> dict[str, list[Any]]:
    """The records' fields as columns, in the order they first appear; None where one is missing.

    Raises InvalidRecord for a record that has no fields or whose fields have no names; `form` is
    the name of what the columns are for.
    """
    rows = [each if type(each) is dict else _dict_of(each, form) for each in records]
    names = dict.fromkeys(chain.from_iterable(rows))
    for name in names:
        if not isinstance(name, str):
            raise InvalidRecord(
                f"the record has the key {name!r} ({type(name).__name__}), and columns have names; "
                f"hint: str({name!r})"
            )
    return {name: [row.get(name) for row in rows] for name in names}


def _dict_of(record: Any, form: str) -> dict[Any, Any]:
    """The record as a dict, and so what is nested in it; times and the like stay what they are."""
    if isinstance(record, dict):
        return dict(record)
    if hasattr(type(record), "model_dump"):
        fields: dict[Any, Any] = record.model_dump()
        return fields
    if isinstance(record, msgspec.Struct) or _has_fields(record):
        return _built_in(record)
    raise InvalidRecord(
        f"the record is {kind_of(record)}, and {form} rows have fields; hint: "
        'batch_format = "list" takes any record'
    )


def _has_fields(record: Any) -> bool:
    return dataclasses.is_dataclass(record) or hasattr(type(record), "__attrs_attrs__")


def _built_in(record: Any) -> dict[Any, Any]:
    try:
        fields: dict[Any, Any] = msgspec.to_builtins(record, builtin_types=(*_OTHERS, bytes))
    except TypeError as error:
        raise InvalidRecord(f"the record cannot become a row: {error}") from None
    return fields


def kind_of_values(values: Iterable[Any], depth: int = 0) -> Kind:
    """What these values have in common."""
    known = [value for value in values if value is not None]
    types = set(map(type, known))
    groups = {_group_of(each) for each in types}
    if not groups:
        return MISSING
    if groups == {INT}:
        return _range_of(known)
    if groups == {INT, FLOAT}:
        return NUMBER if _all_exact(known) else MIXED
    group = groups.pop()
    if groups or group is MIXED:
        return MIXED
    if group in (list, dict):
        return _nested(group, known, depth + 1)
    return _other(group, known) if isinstance(group, type) else str(group)


def _group_of(kind: type) -> Any:
    return next((_GROUPS[each] for each in kind.__mro__ if each in _GROUPS), MIXED)


def _range_of(values: list[int]) -> str:
    low, high = min(values), max(values)
    if -(1 << 63) <= low and high < 1 << 63:
        return INT
    return UINT if low >= 0 and high < 1 << 64 else HUGE


def _all_exact(values: list[Any]) -> bool:
    return all(-EXACT <= each <= EXACT for each in values if isinstance(each, int))


def _nested(group: type, values: list[Any], depth: int) -> Kind:
    if depth > MAX_DEPTH:
        return MIXED
    if group is list:
        items = kind_of_values(chain.from_iterable(values), depth)
        return MIXED if items == MIXED else ListOf(items)
    names = dict.fromkeys(chain.from_iterable(values))
    if not all(isinstance(name, str) for name in names):
        return MIXED
    fields = {name: kind_of_values((each.get(name) for each in values), depth) for name in names}
    return MIXED if MIXED in fields.values() else Fields(fields)


def _other(group: type, values: list[Any]) -> Kind:
    if group in (datetime.datetime, datetime.time) and len({v.tzinfo is None for v in values}) > 1:
        return MIXED
    return Other(group)
