"""Which tables and keys does a job file have, and what does each set?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..tasks.nearest import did_you_mean
from .kinds import (
    FLAG,
    LEVEL,
    LIMIT,
    LOG_FORMAT,
    NUMBER,
    NUMBERS,
    PATH,
    RETRY_ON,
    SIGN,
    SIZE,
    TASK,
    TEXT,
    TEXTS,  # fmt: skip
    VERSION,
    WHOLE,
    Kind,
)
from .problems import Problem, show


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: the field it sets, flat over Job, Retry and LogSettings, and its kind."""

    field: str
    kind: Kind


def _keys(**kinds: Kind) -> dict[str, Key]:
    return {name: Key(name, kind) for name, kind in kinds.items()}


SCHEMA: Mapping[str, Mapping[str, Key]] = {
    "job": _keys(name=TEXT, task=TEXT, key=TEXT, rerun_key=TEXT, version=VERSION),
    "source": {"path": Key("source", PATH), "format": Key("source_format", TEXT)},
    "sink": {"path": Key("sink", PATH), "errors": Key("errors", PATH),
             "format": Key("sink_format", TEXT), "order": Key("order", TEXT)},
    "run": _keys(engine=TEXT, workers=WHOLE, worker_memory=SIZE, concurrency=WHOLE,
                 batch_size=WHOLE, batch_format=TEXT, rate=TEXT, burst=WHOLE, timeout_s=NUMBER,
                 max_failures=LIMIT, systemic_after=WHOLE, commit_every_s=NUMBER, grace_s=NUMBER,
                 limit=WHOLE, retry_failed=FLAG),
    "retry": _keys(max_attempts=WHOLE, wait_min_s=NUMBER, wait_max_s=NUMBER, factor=NUMBER,
                   on=RETRY_ON),
    "log": {"level": Key("log_level", LEVEL), "file": Key("log_file", PATH),
            "format": Key("log_format", LOG_FORMAT)},
}  # fmt: skip

OPTIONS: Mapping[str, Kind] = {
    "delimiter": TEXT, "encoding": TEXT, "quotechar": SIGN, "fieldnames": TEXTS, "header": FLAG,
    "max_record_bytes": WHOLE, "numbers": NUMBERS, "guard_formulas": FLAG,
    "quoting": TEXT, "lineterminator": TEXT, "escapechar": SIGN, "doublequote": FLAG,
    "file_field": TEXT, "record_bytes": WHOLE,
}  # fmt: skip
"""Further keys of [source] and [sink], which the format that has them explains and checks."""

OPTION_FIELDS = {"source": "source_options", "sink": "sink_options"}

FIELDS: Mapping[str, Kind] = {
    key.field: key.kind for keys in SCHEMA.values() for key in keys.values()
} | {"task": TASK, **{field: Kind(lambda v: isinstance(v, Mapping), "a mapping")
                      for field in OPTION_FIELDS.values()}}  # fmt: skip
"""Every field that may be set from outside a file, too."""


SPELLINGS: Mapping[str, str] = {
    key.field: f"{table}.{name}" for table, keys in SCHEMA.items() for name, key in keys.items()
}
"""How a job file spells each field."""


def flatten(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Field to value for a whole document, and every mistake in it."""
    fields: dict[str, Any] = {}
    problems: list[Problem] = []
    for table, content in document.items():
        if table not in SCHEMA:
            problems.append(_unknown_table(table, content))
        elif not isinstance(content, Mapping):
            problems.append(Problem(f"{table} = {show(content)} is no table",
                                    f"begin a table with [{table}]"))  # fmt: skip
        else:
            problems += _flatten_table(table, content, fields)
    return fields, problems


def _flatten_table(table: str, content: Mapping[str, Any], fields: dict[str, Any]) -> list[Problem]:
    options = OPTIONS if table in OPTION_FIELDS else {}
    found: list[Problem | None] = []
    for name, value in content.items():
        kind = options.get(name) or (SCHEMA[table][name].kind if name in SCHEMA[table] else None)
        if kind is None:
            found.append(_unknown_key(table, name, value))
            continue
        found.append(kind.problem_with(f"{table}.{name}", value))
        if found[-1] is None and name in options:
            fields.setdefault(OPTION_FIELDS[table], {})[name] = value
        elif found[-1] is None:
            fields[SCHEMA[table][name].field] = kind.convert(value)
    return [problem for problem in found if problem]


def _unknown_table(name: str, content: object) -> Problem:
    if not isinstance(content, Mapping):
        return _unknown_key("", name, content)
    return Problem(f"[{name}] is no table of a job file", did_you_mean(name, SCHEMA))


def _unknown_key(table: str, name: str, value: object) -> Problem:
    option = f"{table}.{name}".lstrip(".")
    homes = [other for other, keys in SCHEMA.items() if name in keys]
    if homes:
        where = f"under [{table}]" if table else "above the first table"
        return Problem(f"{option} = {show(value)} is misplaced: there is no {name} {where}",
                       f"write it under [{homes[0]}]")  # fmt: skip
    if not table:
        every = [key for keys in SCHEMA.values() for key in keys]
        return Problem(f"{option} = {show(value)} is no key", did_you_mean(name, every))
    known = [*SCHEMA[table], *(OPTIONS if table in OPTION_FIELDS else ())]
    return Problem(f"{option} is no key of a job file", did_you_mean(name, known))
