"""How are records read as pydantic models? Imported only when a task is annotated with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydantic  # type: ignore[import-not-found, unused-ignore]

from ..errors import InvalidRecord

MAX_FIELDS = 5
"""How many wrong fields of one record are named."""


def validator_of(record_type: Any) -> Callable[[bytes], Any]:
    """pydantic-core's own validator of JSON bytes for this model."""
    validator: Any = pydantic.TypeAdapter(record_type).validator
    checked: Callable[[bytes], Any] = validator.validate_json
    return checked


def explain_pydantic(error: Exception) -> InvalidRecord:
    """What pydantic found wrong, told by the fields."""
    if not isinstance(error, pydantic.ValidationError):
        return InvalidRecord(f"{type(error).__name__}: {error}")
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [_told(each["loc"], each["msg"]) for each in found[:MAX_FIELDS]]
    more = [f"and {len(found) - MAX_FIELDS} more"] if len(found) > MAX_FIELDS else []
    return InvalidRecord("; ".join(told + more))


def _told(path: tuple[int | str, ...], message: str) -> str:
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"field `{name.lstrip('.')}`: {message}" if name else message
