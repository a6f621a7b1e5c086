"""How are the mistakes in a configuration told, all of them at once?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError

MAX_SHOWN = 60
"""Longest value, in characters, that a message repeats."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, and what to do about it."""

    text: str
    remedy: str


def raise_if_any(where: object, problems: Sequence[Problem]) -> None:
    """Raise one ConfigError for all of them, a line each."""
    if not problems:
        return
    if len(problems) == 1:
        raise ConfigError(f"{where}: {problems[0].text}", hint=problems[0].remedy)
    lines = [f"  {problem.text} ({problem.remedy})" for problem in problems]
    raise ConfigError("\n".join([f"{where} has {len(problems)} mistakes:", *lines]))


def show(value: Any) -> str:
    """A value as it would be written in TOML, cut to what fits a line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
