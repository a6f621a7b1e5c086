"""How are lines of text read as records?"""

from __future__ import annotations

from typing import Any

from ..errors import InvalidRecord, RecordTooLarge
from ..records import Oversized


class TextReader:
    """Lines as strings, without their ends. They have no key: a line is known by its number."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._encoding = encoding

    def decode(self, raw: Any) -> str:
        """Raises for a blank line, which is no record."""
        text: str = raw.decode(self._encoding).rstrip("\r")
        if not text or text.isspace():
            raise InvalidRecord("the line is blank")
        return text

    def key_of(self, raw: Any) -> None:  # noqa: ARG002
        return None

    def explain(self, error: Exception, raw: Any) -> Exception | None:
        if isinstance(raw, Oversized):
            return RecordTooLarge(f"the record has {raw.length} bytes; hint: raise "
                                  "source.max_record_bytes")  # fmt: skip
        if isinstance(error, UnicodeDecodeError):
            return InvalidRecord(f"not {self._encoding}: {error.reason}; hint: source.encoding")
        return None
