"""How do the bytes of a JSON record become what the task's annotation asks for?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from ..errors import ConfigError, InvalidRecord, MissingDependency
from .shape import is_pydantic


@dataclass(frozen=True, slots=True)
class Decoder:
    """`decode` is a function in C, to be called as it is in the hot loop. What it raises is
    turned into an InvalidRecord, which names the field, by `explain`, when it has raised."""

    decode: Callable[[bytes], Any]
    explain: Callable[[Exception], InvalidRecord]


def decoder_for(record_type: Any = None) -> Decoder:
    """The fastest decoder for records of this type; for any JSON value without one.

    Integers keep their size. Fields that the type does not have are left out by msgspec, and
    treated by pydantic as the model says.

    Raises ConfigError for a type that cannot be decoded to, MissingDependency without pydantic.
    """
    if record_type is None:
        return Decoder(msgspec.json.Decoder().decode, explain)
    if any(is_pydantic(each) for each in (record_type, *get_args(record_type))):
        return _pydantic_decoder(record_type)
    try:
        return Decoder(msgspec.json.Decoder(record_type).decode, explain)
    except (TypeError, NameError) as error:
        name = getattr(record_type, "__name__", record_type)
        raise ConfigError(f"records cannot be read as {name}: {error}",
                          hint="annotate the record with a type that JSON can carry, or with dict",
                          ) from error  # fmt: skip


def _pydantic_decoder(record_type: Any) -> Decoder:
    try:
        from .pydantic_models import explain_pydantic, validator_of
    except ModuleNotFoundError as error:
        if error.name != "pydantic":
            raise
        raise MissingDependency("pydantic", "a model as annotation", "pydantic") from None
    return Decoder(validator_of(record_type), explain_pydantic)


def explain(error: Exception) -> InvalidRecord:
    """What msgspec found wrong, told by the field: "field `lat`: expected `float`, got `str`"."""
    if isinstance(error, UnicodeDecodeError):
        return InvalidRecord("not UTF-8: a byte that no character has")
    if isinstance(error, RecursionError):
        return InvalidRecord("nested too deeply")
    if not isinstance(error, msgspec.ValidationError):
        return InvalidRecord(f"not JSON: {error}")
    message, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    if missing:
        path, message = f"{path}.{missing[1]}".lstrip("."), "is missing"
        return InvalidRecord(f"field `{path}` {message}")
    message = message[:1].lower() + message[1:]
    return InvalidRecord(f"field `{path}`: {message}" if path else message)
