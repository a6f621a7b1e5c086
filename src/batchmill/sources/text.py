"""Plain text as a source: every line is a record."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..files.streams import reading
from ..records import Mark
from .files import Bytes, Files
from .lines import BOM, LineReader, Place, looks_wide
from .recoded import recoding


class TextFiles(Files):
    """The lines of files, in order. A line without content is no record but keeps its number.

    With an encoding, the bytes are those of its text in UTF-8.
    """

    def __init__(self, paths: Sequence[Path], name: str = "", *, max_record_bytes: int,
                 encoding: str | None = None) -> None:  # fmt: skip
        super().__init__(paths, name)
        self._max = max_record_bytes
        self._encoding = encoding

    def opened(
        self, path: Path, offset: int = 0, seen: os.stat_result | None = None
    ) -> AbstractContextManager[Bytes]:
        if self._encoding:
            return recoding(path, self._encoding, offset, seen)
        return reading(path, offset, seen)

    def manner(self) -> dict[str, Any]:
        return {"recoded": self._encoding} if self._encoding else {}

    def reader(self, number: int, stream: Bytes, mark: Mark, place: Place) -> LineReader:  # noqa: ARG002
        return TextLines(stream, mark, self._max, place)


class TextLines(LineReader):
    """Cuts a stream into lines, whatever is in them."""

    def begin(self, lines: list[Any]) -> list[Any]:
        if looks_wide(lines[0]):
            raise SourceError("the source looks like UTF-16 or UTF-32",
                              hint='source.encoding = "utf-16"')  # fmt: skip
        return [lines[0].removeprefix(BOM), *lines[1:]]
