"""How is a user's function to be called, and what does it want its record to be?"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, get_args, get_origin

import msgspec

from ..errors import ConfigError

_CONTEXT_NAMES = frozenset({"context", "ctx"})
_MAX_LAYERS = 32
"""How many decorators and partials are seen through."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What was found out about one function."""

    is_async: bool
    takes_context: bool
    record_type: Any


def shape_of(function: Callable[..., Any], what: str, *, is_batch: bool) -> Shape:
    """Look at `function`, called `what` in messages.

    The second parameter gets the context if it has no default or is called context or ctx.

    Raises ConfigError: not callable, a generator, parameters that do not fit, or an annotation
    that cannot be resolved.
    """
    refuse_generator(function, what, "return a list of results instead of yielding them")
    first = "records" if is_batch else "record"
    parameters = _parameters(function)
    _check_parameters(parameters, what, first)
    return Shape(
        is_async=is_async(function),
        takes_context=_takes_context(parameters),
        record_type=_record_type(function, parameters, what, is_batch=is_batch),
    )


def hook_takes_context(hook: Callable[..., Any], what: str) -> bool:
    """Whether a hook has a parameter. Raises ConfigError for more than one, and for generators."""
    refuse_generator(hook, what, "return the context's dict, and close things in on_shutdown")
    positional = [p for p in _parameters(hook) if p.kind in _POSITIONAL]
    required = [p for p in _parameters(hook) if p.default is p.empty and p.kind not in _VARIADIC]
    if len(required) > 1 or [p for p in required if p.kind is p.KEYWORD_ONLY]:
        raise ConfigError(f"{what} wants {_spell(required)}",
                          hint="it gets the context, or nothing")  # fmt: skip
    return bool(required or [p for p in positional if p.name in _CONTEXT_NAMES])


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await; decorators with `wraps` are seen through."""
    return any(inspect.iscoroutinefunction(each) for each in _layers(function))


def refuse_generator(function: Callable[..., Any], what: str, remedy: str) -> None:
    """Raise ConfigError for a function with `yield` in it, and for what is no function."""
    if not callable(function):
        raise ConfigError(f"{what} is {function!r} and not a function", hint=f"define {what}(...)")
    for each in _layers(function):
        if inspect.isasyncgenfunction(each) or inspect.isgeneratorfunction(each):
            raise ConfigError(f"{what} is a generator: it yields", hint=remedy)


def _layers(function: Callable[..., Any]) -> list[Any]:
    """The function, what it wraps, and the `__call__` of an object, outermost first."""
    layers: list[Any] = []
    current: Any = function
    while current is not None and len(layers) < _MAX_LAYERS:
        layers.append(current)
        if isinstance(current, functools.partial):
            current = current.func
        elif hasattr(current, "__wrapped__"):
            current = current.__wrapped__
        elif inspect.isroutine(current) or isinstance(current, type):
            current = None
        else:
            current = getattr(type(current), "__call__", None)  # noqa: B004 - wanted as it is
    return layers


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Its parameters; one without annotation for a function in C that does not tell them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return [inspect.Parameter("record", inspect.Parameter.POSITIONAL_ONLY)]


def _check_parameters(parameters: Sequence[inspect.Parameter], what: str, first: str) -> None:
    remedy = f"define {what}({first}, context), or {what}({first}) if it needs no context"
    required = [p for p in parameters if p.default is p.empty and p.kind not in _VARIADIC]
    named = [p for p in required if p.kind is p.KEYWORD_ONLY]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if named:
        raise ConfigError(f"{what} wants {_spell(named)} by name", hint=remedy)
    if len(required) > 2:
        raise ConfigError(f"{what} has {len(required)} parameters: {_spell(required)}",
                          hint=f"{remedy}; functools.partial sets the others")  # fmt: skip
    if not takes_any and not any(p.kind in _POSITIONAL for p in parameters):
        raise ConfigError(f"{what} has no parameter for the {first}", hint=remedy)


def _spell(parameters: Sequence[inspect.Parameter]) -> str:
    return ", ".join(p.name for p in parameters)


def _takes_context(parameters: Sequence[inspect.Parameter]) -> bool:
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    if len(positional) < 2:
        return any(p.kind is p.VAR_POSITIONAL for p in parameters)
    second = positional[1]
    return second.default is second.empty or second.name in _CONTEXT_NAMES


def _record_type(
    function: Callable[..., Any], parameters: Sequence[inspect.Parameter], what: str, is_batch: bool
) -> Any:
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    if not positional or positional[0].annotation is inspect.Parameter.empty:
        return None
    innermost = _layers(function)[-1]
    annotation = _resolve(positional[0].annotation, innermost, what)
    if is_batch:
        annotation = _resolve(_element_of(annotation), innermost, what)
    return annotation if is_record_type(annotation) else None


def _resolve(annotation: Any, function: Any, what: str) -> Any:
    """The type that an annotation names. Names that only type checkers see are refused: the
    records would not be converted, and the task would find out one failing record at a time."""
    text = getattr(annotation, "__forward_arg__", annotation)
    if not isinstance(text, str):
        return annotation
    function = getattr(function, "__func__", function)
    known = vars(collections.abc) | vars(typing) | getattr(function, "__globals__", {})
    try:
        named = eval(text, known)  # noqa: S307 - the user's own annotation
    except Exception as error:
        raise ConfigError(
            f"{what}: the annotation {text} of its first parameter is unknown at run time: {error}",
            hint=f"import or define {text} at the top level of the module, not inside "
            "TYPE_CHECKING or a function",
        ) from error
    return _resolve(named, function, what) if named != text else None


def _element_of(annotation: Any) -> Any:
    """X of list[X]; None if it is no list."""
    if get_origin(annotation) in (list, collections.abc.Sequence, collections.abc.Iterable):
        return get_args(annotation)[0]
    return None


def is_record_type(annotation: Any) -> bool:
    """Whether records are converted to it: a dataclass, TypedDict, msgspec.Struct, attrs class or
    pydantic model, or a union of such."""
    if get_origin(annotation) is typing.Annotated:
        return is_record_type(get_args(annotation)[0])
    if get_origin(annotation) in (typing.Union, types.UnionType):
        members = [each for each in get_args(annotation) if each is not types.NoneType]
        return all(is_record_type(each) for each in members)
    plain = get_origin(annotation) or annotation
    return isinstance(plain, type) and (
        issubclass(plain, msgspec.Struct)
        or is_dataclass(plain)
        or typing.is_typeddict(plain)
        or is_pydantic(plain)
        or hasattr(plain, "__attrs_attrs__")
    )


def is_pydantic(annotation: Any) -> bool:
    """Whether pydantic made this class: a model or one of its dataclasses."""
    return hasattr(get_origin(annotation) or annotation, "__pydantic_validator__")
