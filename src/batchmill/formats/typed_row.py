"""How does a row of text cells become what the task's annotation asks for?"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

import msgspec
from msgspec import inspect

from ..tasks.shape import is_pydantic
from ..tasks.typed import Decoder, decoder_for

_TEXT = (inspect.StrType, inspect.BytesType, inspect.AnyType, inspect.RawType, inspect.CustomType)


class RowConverter:
    """Converts dicts of strings: "5" is an integer where one is asked for, "true" a boolean.

    An empty cell is empty text for a field that may be text; for any other field the default, or
    None if the type allows that. Raises what the Decoder's `explain` explains; ConfigError for a
    type that cannot be converted to.
    """

    def __init__(self, record_type: Any) -> None:
        self.record_type = record_type
        decoder: Decoder = decoder_for(record_type)
        self.explain = decoder.explain
        self._empty = dict(_empty_cells(record_type))
        self._convert = (_by_json(decoder) if _has_pydantic(record_type)
                         else _by_msgspec(record_type))  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return RowConverter, (self.record_type,)

    def __call__(self, row: dict[str, Any]) -> Any:
        for name, is_dropped in self._empty.items():
            if row.get(name) == "":
                if is_dropped:
                    del row[name]
                else:
                    row[name] = None
        return self._convert(row)


def _has_pydantic(record_type: Any) -> bool:
    return any(is_pydantic(each) for each in (record_type, *get_args(record_type)))


def _by_msgspec(record_type: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda row: msgspec.convert(row, record_type, strict=False)


def _by_json(decoder: Decoder) -> Callable[[dict[str, Any]], Any]:
    """pydantic's own reading of JSON is lenient with strings."""
    return lambda row: decoder.decode(msgspec.json.encode(row))


def _empty_cells(record_type: Any) -> Iterator[tuple[str, bool]]:
    """Fields whose empty cell is no value: whether it is left out, or None is put in its place."""
    if is_pydantic(record_type):
        yield from _of_pydantic(record_type)
        return
    info = inspect.type_info(record_type)
    for field in getattr(info, "fields", ()):
        kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        if any(map(_may_be_empty, kinds)):
            continue
        if not field.required or any(isinstance(kind, inspect.NoneType) for kind in kinds):
            yield field.encode_name, not field.required


def _may_be_empty(kind: Any) -> bool:
    """Whether a type has the empty text among its values."""
    if isinstance(kind, inspect.LiteralType):
        return "" in kind.values
    if isinstance(kind, inspect.EnumType):
        return "" in [each.value for each in kind.cls]
    return isinstance(kind, _TEXT)


def _of_pydantic(record_type: Any) -> Iterator[tuple[str, bool]]:
    fields = getattr(record_type, "__pydantic_fields__", None) or record_type.model_fields
    for name, field in fields.items():
        alias = field.validation_alias or field.alias or name
        members = _members(field.annotation)
        if str in members or bytes in members or Any in members or not isinstance(alias, str):
            continue
        if not field.is_required() or types.NoneType in members:
            yield alias, not field.is_required()


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, and any other type by itself."""
    union = get_origin(annotation) in (typing.Union, types.UnionType)
    return get_args(annotation) if union else (annotation,)
