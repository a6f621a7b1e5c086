"""JSONL files as a source: one JSON value a line, plain or compressed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..records import Block, Mark
from .files import Bytes, Files
from .lines import LineReader, Place

MAX_RECORD_BYTES = 64 << 20
"""Longest line that is handed to the task; a longer one is a dead letter."""


class JsonlFiles(Files):
    """The lines of files, in order. A line without content is no record but keeps its number."""

    whole_if_read = True

    def __init__(self, paths: Sequence[Path], name: str = "", *,
                 max_record_bytes: int = MAX_RECORD_BYTES,
                 labels: tuple[str, Sequence[str]] | None = None) -> None:  # fmt: skip
        """`labels` are a field, put into every object, and what it says for each file."""
        super().__init__(paths, name)
        self._max = max_record_bytes
        self._labels = labels

    def reader(self, number: int, stream: Bytes, mark: Mark, place: Place) -> LineReader:  # noqa: ARG002
        return LineReader(stream, mark, self._max, place)

    def dressed(self, block: Block, number: int) -> Block:
        if self._labels is None:
            return block
        field, labels = self._labels
        front = f"{{{json.dumps(field)}:{json.dumps(labels[number])}".encode()
        return replace(block, records=[_with_front(front, raw) for raw in block.records])


def _with_front(front: bytes, raw: Any) -> Any:
    """An object with a field before its others; anything else as it is."""
    if not isinstance(raw, bytes) or not (stripped := raw.strip()).startswith(b"{"):
        return raw
    rest = stripped[1:].lstrip()
    return front + (rest if rest.startswith(b"}") else b"," + rest)


class JsonlFile(JsonlFiles):
    """A single one."""

    def __init__(self, path: Path, *, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        super().__init__([path], max_record_bytes=max_record_bytes)
        self.path = path
