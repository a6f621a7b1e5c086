"""How are binary records of one size read?"""

from __future__ import annotations

from typing import Any

from ..errors import InvalidRecord


class FixedReader:
    """Bytes as they are. They have no key: a record is known by its number."""

    def __init__(self, record_bytes: int) -> None:
        self._size = record_bytes

    def decode(self, raw: Any) -> bytes:
        if len(raw) != self._size:
            raise InvalidRecord(
                f"the file ends after {len(raw)} of the record's {self._size} bytes"
            )
        return bytes(raw)

    def key_of(self, raw: Any) -> None:  # noqa: ARG002
        return None

    def explain(self, error: Exception, raw: Any) -> Exception | None:  # noqa: ARG002
        return error
