"""How do values from a file and from flags become a job, and whose fault is a bad one?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..job import Job
from ..options import Retry
from ..tasks.nearest import did_you_mean
from .problems import Problem, raise_if_any
from .schema import FIELDS, SCHEMA, SPELLINGS
from .values import JobConfig, LogSettings

RETRY_FIELDS = frozenset({"max_attempts", "wait_min_s", "wait_max_s", "factor", "on"})
LOG_FIELDS = {"log_level": "level", "log_file": "file", "log_format": "format"}
PATH_FIELDS = ("source", "sink", "errors", "log_file")

_FLAGS = {"source": "--input", "sink": "--output", "timeout_s": "--timeout"}
_NEEDED = {
    "source": ("the records to read", '[source] path = "in.jsonl"'),
    "sink": ("the file for the results", '[sink] path = "out.jsonl"'),
    "task": ("the function to call", '[job] task = "task.py"'),
}


_OPTION = re.compile(rf"\b(?P<table>{'|'.join(SCHEMA)})\.(?P<key>\w+)|^(?P<bare>\w+)(?= = )")
"""How the messages of the words layer name an option: run.concurrency, or `rate = ...`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Fields by name, flat, with absolute paths; and where they come from."""

    base: Path
    file: Path | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    """How the file spells a field, where it is not as in a job file."""
    notes: tuple[str, ...] = ()
    adopts: bool = False
    """As JobConfig has it."""

    @property
    def where(self) -> str:
        """What messages call the place of this draft."""
        return str(self.file or "command line")

    def spell(self, name: str) -> str:
        """A field's name as the user writes it there."""
        if self.file is None:
            return flag(name)
        return self.spellings.get(name) or SPELLINGS.get(name, name)

    def remedy(self, name: str, example: str) -> str:
        """How to set a field that is missing."""
        if self.file is None:
            return f"give {flag(name)}"
        here = f"set {self.spellings[name]}" if name in self.spellings else f"write {example}"
        return here if name == "task" else f"{here}, or give {flag(name)}"


def rooted(fields: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The fields with relative paths taken from `base`. Addresses (s3://...) stay as they are."""
    placed = {name: _root(fields[name], base) for name in PATH_FIELDS if name in fields}
    return {**fields, **placed}


def _root(path: Any, base: Path) -> str:
    text = os.fspath(path)
    return text if "://" in text or text == "-" else os.path.abspath(base / Path(text).expanduser())  # noqa: PTH100 - links are kept


def finish(draft: Draft, overrides: Mapping[str, Any]) -> JobConfig:
    """The job of a draft, with `overrides` in place of what the draft says.

    Raises ConfigError that names file or flag, the option as it is spelled there, and the remedy.
    """
    given = _checked_flags(overrides)
    fields = {**draft.fields, **given}
    _require_needed(draft, fields)
    try:
        return _build(draft, fields)
    except ConfigError as error:
        raise _with_origin(error, draft, given) from None


def _checked_flags(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given, checked. None means that a flag was not given."""
    given = {name: value for name, value in overrides.items() if value is not None}
    problems = []
    for name, value in given.items():
        kind = FIELDS.get(name)
        problem = kind.problem_with(flag(name), value) if kind else _unknown_flag(name)
        problems += [problem] if problem else []
    raise_if_any("command line", problems)
    return rooted({name: FIELDS[name].convert(value) for name, value in given.items()}, Path.cwd())


def _unknown_flag(name: str) -> Problem:
    return Problem(f"{flag(name)} is no option of a job", did_you_mean(name, FIELDS))


def flag(name: str) -> str:
    """The flag that sets a field."""
    return _FLAGS.get(name, "--" + name.replace("_", "-"))


def _require_needed(draft: Draft, fields: Mapping[str, Any]) -> None:
    missing = []
    for name, (meaning, example) in _NEEDED.items():
        if fields.get(name) is None:
            missing.append(Problem(f"{draft.spell(name)} is missing: {meaning}",
                                   draft.remedy(name, example)))  # fmt: skip
    raise_if_any(draft.where, missing)


def _build(draft: Draft, fields: Mapping[str, Any]) -> JobConfig:
    retry = {name: fields[name] for name in RETRY_FIELDS if name in fields}
    log = {LOG_FIELDS[name]: fields[name] for name in LOG_FIELDS if name in fields}
    rest = {n: v for n, v in fields.items() if n not in RETRY_FIELDS and n not in LOG_FIELDS}
    if "file" in log:
        log["file"] = Path(log["file"])
    return JobConfig(
        job=Job(**rest, retry=Retry(**retry)),
        log=LogSettings(**log),
        base=draft.base,
        file=draft.file,
        notes=draft.notes,
        adopts=draft.adopts,
    )


def _with_origin(error: ConfigError, draft: Draft, given: Mapping[str, Any]) -> ConfigError:
    """The same, saying whether the file or a flag set the option, and as it is spelled there."""
    first = _OPTION.search(error.message)
    blamed = first and _field_of(first)
    if blamed in given:
        return _respelled(error, "command line", flag)
    return _respelled(error, draft.where, draft.spell)


def _respelled(error: ConfigError, where: str, spell: Callable[[str], str]) -> ConfigError:
    def replace(found: re.Match[str]) -> str:
        name = _field_of(found)
        return spell(name) if name else found[0]

    hint = error.hint and _OPTION.sub(replace, error.hint)
    return ConfigError(f"{where}: {_OPTION.sub(replace, error.message)}", hint=hint)


def _field_of(found: re.Match[str]) -> str | None:
    """The field that an option in a message of Job, Retry or Rate is about."""
    if found["bare"]:
        return found["bare"] if found["bare"] in FIELDS else None
    key = SCHEMA[found["table"]].get(found["key"])
    return key.field if key else None
