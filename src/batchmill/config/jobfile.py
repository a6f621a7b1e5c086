"""How is a job.toml read?"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..tasks.spelling import Spelling
from .draft import Draft, rooted
from .problems import raise_if_any
from .schema import flatten


def read_job_file(path: Path) -> Draft:
    """The draft of a job file, with `task = "task.py"` if it names none and that file is there.

    Raises ConfigError: unreadable, no TOML (with the line), or all its mistakes at once.
    """
    fields, problems = flatten(_parse(path, _text_of(path)))
    raise_if_any(path, problems)
    base = path.absolute().parent
    if "task" not in fields and (base / "task.py").is_file():
        fields["task"] = "task.py"
    if "task" in fields:
        fields["task"] = _placed(fields["task"], base, path)
    return Draft(base=base, file=path, fields=rooted(fields, base))


def _placed(task: str, base: Path, path: Path) -> str:
    try:
        return str(Spelling.parse(task).under(base))
    except ConfigError as error:
        raise ConfigError(f"{path}: job.{error.message}", hint=error.hint) from None


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: byte {error.start} begins no character",
                          hint="save it as UTF-8") from None  # fmt: skip


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        if not found:
            raise ConfigError(f"{path}: {error}", hint=_STYLE) from None
        line = text.split("\n")[int(found[1]) - 1].strip()
        what = str(error)[: found.start()]
        raise ConfigError(f"{path}, line {found[1]}, column {found[2]}: {what}: {line}",
                          hint=_STYLE) from None  # fmt: skip


_STYLE = 'write key = "text" with quotes, key = 5 without, and [table] on a line of its own'
