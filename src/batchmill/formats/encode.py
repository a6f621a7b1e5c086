"""How does a result become a line of JSON, without losing or bending a value?"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from ..errors import RecordError, UnencodableResult, WrongResult
from .forgotten import refuse_forgotten
from .numbers import SpelledFloat

MAX_DEPTH = 250
"""Deepest nesting that is written. What is deeper would not be read back by most readers."""

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS
"""The encoder would leave out fields of dataclasses whose names begin with an underscore."""

_NATIVE = (str, bool, type(None))
SEVERAL = (list, tuple, types.GeneratorType)
"""What a task may return several results in."""


def encode_result(result: Any) -> bytes:
    """The line of one result, or the lines of a list of results, in UTF-8.

    Raises UnencodableResult, naming the place in the result, for what JSON cannot carry: NaN,
    infinities, bytes, sets, keys that are no strings. Raises WrongResult for what is no result.

    This is a third of the hot path, hence three things. It does not call `encode_value` for a dict.
    The encoder returns the shrunken rest of a large buffer, and thousands of these kept until the
    next commit cost more than the encoding; the copy with the newline has the right size. The
    encoder writes NaN and the infinities as null, so where there is a null the result is looked
    through; `rfind` finds it in half the time of `in`.
    """
    if type(result) is not dict:
        return _encode_other(result)
    try:
        line = orjson.dumps(result, _default, _OPTIONS) + b"\n"
    except TypeError:
        return _encode_carefully(result)
    if line.rfind(b"null") >= 0:
        _carry(result, "result", 0)
    return line


def _encode_other(result: Any) -> bytes:
    if not isinstance(result, SEVERAL):
        return _encode_object(result)
    try:
        return b"".join([_encode_object(item) for item in result])
    except RecordError:
        refuse_forgotten(() if isinstance(result, types.GeneratorType) else result)
        raise


def _encode_object(result: Any) -> bytes:
    if isinstance(result, dict) or fields_of(result) is not None:
        return encode_value(result)
    raise no_result(result)


def no_result(result: Any) -> WrongResult:
    """The error for what a task may not return. Raises that of what is not there yet."""
    refuse_forgotten(result)
    return WrongResult(
        f"the task returned {kind_of(result)}; hint: return a dict, a list of dicts, or None to "
        "leave the record out"
    )


def encode_value(value: Any, path: str = "result") -> bytes:
    """Any value as one line of JSON. Raises UnencodableResult that names the place in `path`."""
    try:
        line = orjson.dumps(value, _default, _OPTIONS) + b"\n"
    except TypeError:
        return _encode_carefully(value, path)
    if line.rfind(b"null") >= 0:
        _carry(value, path, 0)
    return line


def _encode_carefully(value: Any, path: str = "result") -> bytes:
    """For what the encoder refuses: integers beyond 64 bits are written, the rest is explained."""
    try:
        return orjson.dumps(_carry(value, path, 0), _default, _OPTIONS) + b"\n"
    except TypeError as error:
        raise UnencodableResult(f"the {path} cannot be encoded: {error}") from None
    except UnencodableResult:
        refuse_forgotten(value)
        raise


def _default(value: Any) -> Any:
    if isinstance(value, SpelledFloat):
        return orjson.Fragment(value.text)
    fields = fields_of(value)
    if fields is None:
        raise TypeError(kind_of(value))
    return fields


def fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a dataclass, msgspec.Struct or pydantic model; None for anything else."""
    if isinstance(value, msgspec.Struct):
        return _struct_fields(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump: Callable[[], dict[str, Any]] | None = getattr(type(value), "model_dump", None)
    return value.model_dump() if dump else None


def _struct_fields(value: msgspec.Struct) -> dict[str, Any]:
    """The fields as msgspec would write them: under the names they are read by, tag included."""
    config = value.__struct_config__
    fields = {} if config.tag is None else {str(config.tag_field): config.tag}
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    given = ((spelled, getattr(value, name)) for name, spelled in names)
    return fields | {spelled: item for spelled, item in given if item is not msgspec.UNSET}


def _carry(value: Any, path: str, depth: int) -> Any:
    """The value with integers beyond 64 bits spelled out, or UnencodableResult."""
    if isinstance(value, _NATIVE):
        return _sound(value, path)
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else _big(value, path)
    if isinstance(value, float):
        return _finite(value, path)
    if depth > MAX_DEPTH:
        raise UnencodableResult(f"{path[:80]}… is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {_name(k, path): _carry(v, f"{path}[{k!r}]", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_carry(item, f"{path}[{n}]", depth + 1) for n, item in enumerate(value)]
    fields = fields_of(value)
    if fields is not None:
        return _carry(fields, path, depth + 1)
    return _other(value, path)


def _sound(value: Any, path: str) -> Any:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnencodableResult(
                f"{path} holds a lone surrogate, which UTF-8 cannot carry; hint: "
                "value.encode(errors='replace').decode()"
            ) from None
    return value


def _big(value: int, path: str) -> orjson.Fragment:
    try:
        return orjson.Fragment(str(int(value)))
    except ValueError as error:
        raise UnencodableResult(f"{path}: {error}") from None


def _finite(value: float, path: str) -> Any:
    if isinstance(value, SpelledFloat):
        return orjson.Fragment(value.text)
    if math.isfinite(value):
        return value
    raise UnencodableResult(
        f"{path} is {value}, which JSON cannot carry; hint: return None or a string for it"
    )


def _name(key: Any, path: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise UnencodableResult(
        f"{path} has the key {key!r} ({type(key).__name__}), and keys in JSON are strings; "
        f"hint: str({key!r})"
    )


_HINTS = {
    "bytes": "base64.b64encode(value).decode()",
    "bytearray": "base64.b64encode(value).decode()",
    "set": "sorted(value)",
    "frozenset": "sorted(value)",
    "Decimal": "str(value) or float(value)",
    "complex": "[value.real, value.imag]",
    "ndarray": "value.tolist()",
}


def _other(value: Any, path: str) -> Any:
    try:
        orjson.dumps(value)
    except TypeError:
        kind = type(value).__name__
        hint = _HINTS.get(kind) or ("value.item()" if hasattr(value, "item") else "str(value)")
        raise UnencodableResult(f"{path} is {kind_of(value)}, which JSON cannot carry; hint: "
                                f"{hint}") from None  # fmt: skip
    return value


def kind_of(value: Any) -> str:
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
