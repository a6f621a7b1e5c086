"""Results that hold something which nobody has awaited, or drawn from."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from ..errors import UnencodableResult, WrongResult

SHOWN = 8
"""Most names of a place that are told: the innermost."""
TYPES = 1024
"""Types of values that are kept in mind."""

_PLAIN = frozenset({str, int, float, bool, type(None), bytes})
_FORGOTTEN = (Coroutine, AsyncGenerator, Generator, asyncio.Future)
_HOLDERS = (dict, list, tuple, set, frozenset, msgspec.Struct)

Place = tuple[Any, str] | None
"""Where something was found: the place of what holds it, and its name in there."""


class Kind(Enum):
    """What a value of some type may hold."""

    PLAIN = "nothing"
    HOLDER = "other values"
    FORGOTTEN = "a result that is not there yet"


def refuse_forgotten(result: Any) -> None:
    """Raise WrongResult for a coroutine, a generator, an async generator or a future; and
    UnencodableResult for one in a dict, list, tuple, set, dataclass or Struct, however deep.

    Coroutines that have not begun are closed: that they were never awaited is said once.
    """
    kind = type(result)
    if kind in _PLAIN or (kind is dict and _PLAIN.issuperset(map(type, result.values()))):
        return
    found = list(_forgotten_in(result))
    for _, value in found:
        close(value)
    if found:
        place, value = found[0]
        wrong = UnencodableResult if place else WrongResult
        raise wrong(f"{_spelled(place)} is {_named(value)}; hint: {remedy(value)}")


def is_forgotten(value: Any) -> bool:
    """Whether the value itself is one of these."""
    return isinstance(value, _FORGOTTEN)


def close(value: Any) -> None:
    """Close a coroutine that has not begun."""
    if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
        value.close()


def remedy(value: Any) -> str:
    """What to do about it."""
    if isinstance(value, Generator):
        return "did you forget await? To return what a generator yields, return list(...)"
    if isinstance(value, AsyncGenerator):
        return "did you forget await? To return what it yields, [each async for each in ...]"
    return "did you forget await?"


def _named(value: Any) -> str:
    name = type(value).__name__.replace("_", " ")
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _spelled(place: Place) -> str:
    names = []
    while place is not None:
        place, name = place
        names.append(name)
    names = names if len(names) <= SHOWN else [*names[:SHOWN], "…"]
    return f"the task's result{''.join(reversed(names))}"


def _forgotten_in(result: Any) -> Iterator[tuple[Place, Any]]:
    waiting: list[tuple[Place, Any]] = [(None, result)]
    seen: set[int] = set()
    while waiting:
        place, value = waiting.pop()
        kind = _kind_of(value)
        if kind is Kind.FORGOTTEN:
            yield place, value
        elif kind is Kind.HOLDER and id(value) not in seen:
            seen.add(id(value))
            waiting += [((place, name), item) for name, item in _entries(value)]


def _entries(value: Any) -> list[tuple[str, Any]]:
    """What in there may hold something, or be it, last one first; each with its name."""
    if isinstance(value, dict):
        named: Iterable[tuple[Any, Any]] = value.items()
        items: Iterable[Any] = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        named, items = enumerate(value), value
    else:
        named = [(name, getattr(value, name, None)) for name in _fields(value)]
        items = [item for _, item in named]
    if _PLAIN.issuperset(map(type, items)):
        return []
    found = [(f"[{name!r}]", item) for name, item in named if _kind_of(item) is not Kind.PLAIN]
    return found[::-1]


def _fields(value: Any) -> Iterable[str]:
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    return [field.name for field in dataclasses.fields(value)]


def _kind_of(value: object) -> Kind:
    return _kind(type(value))


def _look_at(kind: type) -> Kind:
    if issubclass(kind, _FORGOTTEN):
        return Kind.FORGOTTEN
    holds = issubclass(kind, _HOLDERS) or dataclasses.is_dataclass(kind)
    return Kind.HOLDER if holds else Kind.PLAIN


_kind: Callable[[type], Kind] = lru_cache(maxsize=TYPES)(_look_at)
