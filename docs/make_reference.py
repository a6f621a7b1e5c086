"""Write docs/reference/ from the docstrings and signatures of the code.

    python docs/make_reference.py

Tells nothing that the code does not say. tests/docs/test_reference.py fails when it is out of date.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent / "reference"

PAGES: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "job": (
        "Jobs",
        {
            "batchmill": (
                "Job",
                "Retry",
                "run",
                "arun",
                "map",
                "DeadLetter",
                "Report",
                "ExitCode",
                "FixedRecords",
            )
        },
    ),
    "task": (
        "Inside a task",
        {
            "batchmill": (
                "current",
                "Current",
                "Transient",
                "Permanent",
                "RetryAfter",
                "retry_with_backoff",
                "atomic_write",
            )
        },
    ),
    "errors": ("Errors", {"batchmill.errors": ()}),
    "batcher": (
        "The batcher",
        {
            "batchmill": ("AsyncBatcher", "batched"),
            "batchmill.flow.batcher_settings": ("Settings",),
            "batchmill.flow.batcher": (
                "BatcherStats",
                "RunningBatch",
                "current_batch",
                "QueueFullException",
                "BatcherStopped",
                "WrongLoop",
                "ItemTooCostly",
                "WrongResults",
                "BatchFailed",
            ),
        },
    ),
    "extending": (
        "Extending",
        {
            "batchmill.protocols": ("Source", "Arriving", "Sink", "Observer"),
            "batchmill.events": ("RunStarted", "Progressed", "Noted", "RunEnded"),
            "batchmill.testing": ("SourceContract", "SinkContract", "ObserverContract"),
        },
    ),
}
"""File, title, and what it documents by module; () is every class that the module defines."""


def pages() -> dict[str, str]:
    """Every page by its file name."""
    made = {f"{name}.md": _page(title, parts) for name, (title, parts) in PAGES.items()}
    return {"index.md": _index(), **made}


def _index() -> str:
    lines = ["# Reference", "", "Made from the docstrings by `docs/make_reference.py`.", ""]
    for name, (title, parts) in PAGES.items():
        found = [each for each, _ in _objects(parts)]
        lines.append(f"- [{title}]({name}.md): {', '.join(f'`{each}`' for each in found)}")
    return "\n".join(lines) + "\n"


def _page(title: str, parts: dict[str, tuple[str, ...]]) -> str:
    texts = [f"# {title}"]
    for name, thing in _objects(parts):
        texts += _class(name, thing) if inspect.isclass(thing) else _function(name, thing)
    return "\n\n".join(texts) + "\n"


def _objects(parts: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, Any]]:
    for module_name, names in parts.items():
        module = import_module(module_name)
        for name in names or _classes_of(module):
            yield name, getattr(module, name)


def _classes_of(module: Any) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]


def _function(name: str, function: Any, level: int = 2) -> list[str]:
    title = f"{'#' * level} {name}"
    return [title, f"```python\n{_signature(name, function)}\n```", *_doc(function)]


def _signature(name: str, function: Any) -> str:
    """As the source has it, without the body; overloads are left to it."""
    prefix = "async def" if inspect.iscoroutinefunction(function) else "def"
    signature = inspect.signature(inspect.unwrap(function))
    parameters = [
        each.replace(annotation=_Bare.of(each.annotation), default=_shown(each.default))
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    returned = _Bare.of(signature.return_annotation)
    text = str(signature.replace(parameters=parameters, return_annotation=returned))
    return _wrapped(f"{prefix} {name}{text}: ...")


def _shown(default: Any) -> Any:
    """A default as it would be written: functions by name, texts in double quotes."""
    if isinstance(default, str):
        return _Bare(json.dumps(default))
    return _Bare(default.__name__) if inspect.isroutine(default) else default


class _Bare:
    """What is shown as it is written, without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def of(cls, annotation: Any) -> Any:
        return cls(annotation) if isinstance(annotation, str) else annotation

    def __repr__(self) -> str:
        return self._text


def _wrapped(text: str) -> str:
    """One parameter a line where it would be too long for one line."""
    if len(text) <= 92:
        return text
    head, _, rest = text.partition("(")
    body, _, end = rest.rpartition(")")
    return "\n".join([f"{head}(", *(f"    {each}," for each in _split(body)), f"){end}"])


def _split(parameters: str) -> list[str]:
    """Cut at the commas that are in no brackets."""
    parts, depth = [""], 0
    for sign in parameters:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def _class(name: str, cls: type) -> list[str]:
    bases = [base.__name__ for base in cls.__bases__ if base not in (object, Exception)]
    kind = " ".join([name, *([f"({', '.join(bases)})"] if _worth_naming(bases) else [])])
    texts = [f"## {kind}", *_doc(cls)]
    if isinstance(cls, enum.EnumMeta):
        members: list[enum.Enum] = list(cls)
        texts.append("\n".join(f"- `{each.name}` = {each.value}" for each in members))
        return texts
    fields = list(_fields(cls))
    if fields:
        texts.append("\n".join(fields))
    for method_name, method in _methods(cls):
        texts += _function(method_name, method, level=3)
    return texts


def _worth_naming(bases: list[str]) -> bool:
    return bool(bases) and not set(bases) & {"Protocol", "Generic", "ABC", "IntEnum"}


def _fields(cls: type) -> Iterator[str]:
    """The fields of a dataclass, and what the string below each says."""
    if not dataclasses.is_dataclass(cls):
        return
    said = _said_of_fields(cls)
    for field in dataclasses.fields(cls):
        if field.name.startswith("_"):
            continue
        note = f": {said[field.name]}" if field.name in said else ""
        yield f"- `{field.name}: {field.type}{_default(field)}`{note}"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {_shown(field.default)!r}"
    if field.default_factory is not dataclasses.MISSING:
        return f" = {getattr(field.default_factory, '__name__', '...')}()"
    return ""


def _said_of_fields(cls: type) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    said: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[name] = " ".join(text.split())
    return said


def _methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(cls).items():
        if inspect.isfunction(value) and not name.startswith(("_", "test_")):
            yield name, value


def _doc(thing: Any) -> list[str]:
    """The docstring, with indented examples left as they are; none if it is inherited."""
    own = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    if not own or own.startswith(f"{getattr(thing, '__name__', '')}("):
        return []
    return [re.sub(r"[ \t]+$", "", inspect.cleandoc(own), flags=re.MULTILINE)]


def main() -> None:
    """Write the pages; a page that is no longer made goes."""
    made = pages()
    REFERENCE.mkdir(exist_ok=True)
    for old in REFERENCE.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (REFERENCE / name).write_text(text)


if __name__ == "__main__":
    main()
