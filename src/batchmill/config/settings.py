"""How is a config.py with a class or object Settings read?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ConfigError
from ..tasks.modules import import_file
from ..tasks.nearest import nearest
from .draft import Draft, rooted
from .kinds import LEVEL, PATH, TEXT, Kind, number_from, whole_from
from .problems import Problem, raise_if_any, show

DEFAULT_WAIT_MAX_S = 60.0

_TYPO = 0.85
"""How much like a setting's name another name is before it is taken for a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One upper-case name: its kind, and the fields that it sets."""

    kind: Kind
    fields: Callable[[Any], dict[str, Any]]


def _as(field: str, kind: Kind) -> Setting:
    return Setting(kind, lambda value: {field: kind.convert(value)})


def _rate(per_minute: int) -> dict[str, Any]:
    return {"rate": f"{per_minute}/min"} if per_minute else {}


def _wait(first_s: float) -> dict[str, Any]:
    return {"wait_min_s": first_s, "wait_max_s": max(DEFAULT_WAIT_MAX_S, first_s)}


SETTINGS = {
    "INPUT_FILE": _as("source", PATH),
    "OUTPUT_FILE": _as("sink", PATH),
    "ERROR_FILE": _as("errors", PATH),
    "LOG_FILE": _as("log_file", PATH),
    "ID_KEY": _as("key", TEXT),
    "RERUN_KEY": _as("rerun_key", TEXT),
    "MAX_CONCURRENCY": _as("concurrency", whole_from(1)),
    "REQUESTS_PER_MINUTE": Setting(whole_from(0), _rate),
    "WRITE_BATCH_SIZE": Setting(whole_from(0), lambda _: {}),
    "MAX_RETRIES": Setting(whole_from(0), lambda retries: {"max_attempts": retries + 1}),
    "RETRY_INITIAL_DELAY": Setting(number_from(0), _wait),
    "LOG_LEVEL": _as("log_level", LEVEL),
}

SPELLINGS = {"source": "INPUT_FILE", "sink": "OUTPUT_FILE", "errors": "ERROR_FILE",
             "key": "ID_KEY", "rerun_key": "RERUN_KEY", "concurrency": "MAX_CONCURRENCY",
             "rate": "REQUESTS_PER_MINUTE"}  # fmt: skip

NOTES = {"WRITE_BATCH_SIZE": "WRITE_BATCH_SIZE has no effect: results are committed by time and "
                             "size, so that a kill loses none"}  # fmt: skip


def read_settings(path: Path) -> Draft:
    """The draft of a config.py; its task is the `task.py` beside it. None and "" set nothing.

    Upper-case names of the user's own are let be, unless one looks like a misspelt setting.

    Raises ConfigError: cannot be imported, no Settings, or all its mistakes at once.
    """
    given = _settings_of(import_file(path), path)
    problems = [_problem(name, value, given) for name, value in given.items()]
    raise_if_any(path, [problem for problem in problems if problem])
    base = path.absolute().parent
    fields: dict[str, Any] = {"task": str(base / "task.py")}
    for name in SETTINGS.keys() & given.keys():
        fields |= SETTINGS[name].fields(given[name])
    notes = tuple(text for name, text in NOTES.items() if name in given)
    return Draft(base=base, file=path, fields=rooted(fields, base), spellings=SPELLINGS,
                 notes=notes, adopts=True)  # fmt: skip


def _settings_of(module: ModuleType, path: Path) -> dict[str, Any]:
    """The upper-case names of the object `settings`, else of `Settings`, that are set."""
    holder = getattr(module, "settings", getattr(module, "Settings", None))
    if holder is None:
        raise ConfigError(f"{path} has neither Settings nor settings",
                          hint="define class Settings with INPUT_FILE, OUTPUT_FILE, ID_KEY",
                          )  # fmt: skip
    if isinstance(holder, type):
        holder = _instance(holder, path)
    found = {name: getattr(holder, name) for name in dir(holder) if name.isupper()}
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _instance(settings: type, path: Path) -> Any:
    """An object of the class where it can be made without arguments, else the class itself."""
    try:
        return settings()
    except TypeError:
        return settings
    except Exception as error:
        raise ConfigError(f"{path}: Settings() failed: {type(error).__name__}: {error}") from error


def _problem(name: str, value: object, given: dict[str, Any]) -> Problem | None:
    if name in SETTINGS:
        return SETTINGS[name].kind.problem_with(name, value)
    meant = nearest(name, SETTINGS.keys() - given.keys(), _TYPO)
    if not meant or name.startswith("_"):
        return None
    return Problem(f"{name} = {show(value)} is no setting", f"did you mean {meant}?")
