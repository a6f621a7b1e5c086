"""What does "task.py", "package.module" or "package.module:function" name?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigError

MADE = "_batchmill_"
"""How the names of modules begin that were made from files and cannot be imported by their own."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Spelling:
    """A task by name: in a file or in an importable module, all of it or one attribute."""

    file: Path | None = None
    module: str | None = None
    attribute: str | None = None

    @classmethod
    def parse(cls, text: str) -> Spelling:
        """Raises ConfigError for what can be neither."""
        place, colon, attribute = text.partition(":")
        if colon and not _DOTTED.fullmatch(attribute):
            raise ConfigError(
                f'task = "{text}": {attribute!r} is not the name of a function',
                hint='write "task.py:function" or "package.module:function"',
            )
        if place.endswith(".py"):
            return cls(file=Path(place), attribute=attribute or None)
        if _DOTTED.fullmatch(place):
            return cls(module=place, attribute=attribute or None)
        raise ConfigError(
            f'task = "{text}" is neither a Python file nor the name of a module',
            hint='write "task.py", "package.module" or "package.module:function"',
        )

    def under(self, base: Path) -> Spelling:
        """The same with a relative file taken as relative to `base`."""
        return replace(self, file=base / self.file.expanduser()) if self.file else self

    def __str__(self) -> str:
        place = str(self.file or self.module)
        return f"{place}:{self.attribute}" if self.attribute else place
