"""Records and results as they are, for a job that reads from memory or keeps its results there."""

from __future__ import annotations

from typing import Any

from ..errors import MissingKey
from ..records import Columns
from .forgotten import refuse_forgotten
from .keys import key_in


class ItemReader:
    """Items as they are."""

    def __init__(self, key: str | None = None) -> None:
        self._key = key

    @staticmethod
    def decode(raw: Any) -> Any:
        return raw

    def key_of(self, raw: Any) -> str | int | None:
        try:
            return key_in(raw, self._key) if self._key else None
        except MissingKey:
            return None

    def explain(self, error: Exception, raw: Any) -> Exception | None:  # noqa: ARG002
        return error


class ItemWriter:
    """Results as they are, but for those that are not there yet."""

    columns: Columns | None = None
    empty: bytes | None = None

    @staticmethod
    def encode(result: Any) -> Any:
        refuse_forgotten(result)
        return result

    @staticmethod
    def join(rows: list[Any]) -> list[Any]:
        return list(rows)
