"""Which values may an option have?"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .problems import Problem, show
from .values import LEVELS, LOG_FORMATS


@dataclass(frozen=True, slots=True)
class Kind:
    """A test, and the sentence for values that do not pass it."""

    accepts: Callable[[Any], bool]
    remedy: str
    convert: Callable[[Any], Any] = lambda value: value

    def problem_with(self, option: str, value: object) -> Problem | None:
        if self.accepts(value):
            return None
        return Problem(f"{option} = {show(value)} is not allowed", f"write {self.remedy}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_path(value: object) -> bool:
    return _is_text(value) or isinstance(value, os.PathLike)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list | tuple) and all(_is_text(each) for each in value)


def whole_from(least: int) -> Kind:
    """Whole numbers of at least `least`."""
    return Kind(lambda v: _is_whole(v) and v >= least, f"a whole number, {least} or more")


def number_from(least: float) -> Kind:
    """Numbers of at least `least`."""
    return Kind(lambda v: _is_number(v) and v >= least, f"a number, {least:g} or more")


TEXT = Kind(_is_text, 'a text in quotes, such as "id"')
PATH = Kind(_is_path, 'a path in quotes, such as "data/in.jsonl"', os.fspath)
TASK = Kind(lambda _: True, "a task")
SIGN = Kind(lambda v: isinstance(v, str), 'a character in quotes, or "" for none')
WHOLE = Kind(_is_whole, "a whole number without quotes, such as 50")
NUMBER = Kind(_is_number, "a number without quotes, such as 1.5")
FLAG = Kind(_is_flag, "true or false, without quotes")
TEXTS = Kind(_is_list_of_text, 'a list of texts, such as ["a", "b"]')
VERSION = Kind(lambda v: _is_text(v) or _is_whole(v), 'a text in quotes, such as "2"', str)
SIZE = Kind(lambda v: _is_text(v) or _is_whole(v), 'a size such as "512MB" or "2GiB"')
LIMIT = Kind(lambda v: _is_text(v) or _is_whole(v), 'a count (100) or a share ("5%")')
RETRY_ON = Kind(
    lambda v: v in ("transient", "all") or _is_list_of_text(v),
    '"transient", "all" or a list of exceptions, such as ["package.Error"]',
)
NUMBERS = Kind(lambda v: _is_flag(v) or _is_text(v), "true, false or a text in quotes")
LEVEL = Kind(
    lambda v: isinstance(v, str) and v.upper() in LEVELS,
    "one of " + ", ".join(f'"{level.lower()}"' for level in LEVELS),
    lambda v: str(v).upper(),
)
LOG_FORMAT = Kind(
    lambda v: v in LOG_FORMATS, "one of " + ", ".join(f'"{name}"' for name in LOG_FORMATS)
)
