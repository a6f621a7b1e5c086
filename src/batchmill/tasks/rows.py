"""Is what process_batch returned one result for each record, and which one is whose?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import WrongResult
from ..formats import forgotten

_FORMAT_OF = {"pandas": "pandas", "pyarrow": "arrow", "polars": "polars"}
"""The batch format in which the frames of a library are handed over."""


def listed(result: Any, count: int, wanted: str = "a list") -> list[Any]:
    """A list or another sequence of `count` entries, as a list.

    Raises WrongResult for anything else: what is a mapping, a set or a text has no results in
    order, a generator could fail half-way, and None may be a forgotten `return`.
    """
    if not isinstance(result, Sequence) or isinstance(result, str | bytes | bytearray):
        raise WrongResult(
            f"process_batch returned {kind_of(result)} for {count} records; hint: "
            f"{_remedy(result, wanted)}"
        )
    entries = result if isinstance(result, list) else list(result)
    check_count(len(entries), count, "results")
    return entries


def check_count(found: int, count: int, what: str) -> None:
    """Raise WrongResult unless there is one result for each record."""
    if found != count:
        raise WrongResult(
            f"process_batch returned {found} {what} for {count} records; hint: one for each "
            "record, in order; to leave records out, return a list with None for each of them"
        )


def check_names(names: list[Any]) -> None:
    """Raise WrongResult for columns that cannot become the fields of a result."""
    for name in names:
        if not isinstance(name, str):
            raise WrongResult(
                f"process_batch returned a frame with the column {name!r} "
                f"({type(name).__name__}), and fields have names; hint: rename it to a string"
            )
    if len(set(names)) < len(names):
        twice = next(name for n, name in enumerate(names) if name in names[:n])
        raise WrongResult(
            f"process_batch returned a frame with two columns {twice!r}; hint: rename one of them"
        )


def rows_of(columns: dict[str, list[Any]], count: int) -> list[Any]:
    """The rows of these columns, as dicts."""
    names = tuple(columns)
    if not names:
        return [{} for _ in range(count)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def kind_of(value: Any) -> str:
    """The value's type in words: "None", "an int", "a polars.DataFrame"."""
    if value is None:
        return "None"
    package = type(value).__module__.partition(".")[0]
    name = type(value).__name__ if package == "builtins" else f"{package}.{type(value).__name__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _remedy(result: Any, wanted: str) -> str:
    if forgotten.is_forgotten(result):
        forgotten.close(result)
        return forgotten.remedy(result)
    package = type(result).__module__.partition(".")[0]
    needed = _FORMAT_OF.get(package)
    if needed and type(result).__name__ in ("DataFrame", "Table", "RecordBatch"):
        return f'set run.batch_format = "{needed}" to work with these frames'
    if hasattr(result, "to_frame") or hasattr(result, "tolist"):
        return f"one value a record has no field name: return {wanted} of results, which are dicts"
    return f"return {wanted} with one result for each record, in order"
