"""How are lines of JSON read as records?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import InvalidRecord, MissingKey, RecordTooLarge
from ..records import Oversized
from ..sources.iterable import NOT_JSON
from .keys import key_in

Decode = Callable[[Any], Any]
Explain = Callable[[Exception], Exception]


class JsonReader:
    """Lines of JSON. The driver never parses them; the slots do."""

    def __init__(
        self, decode: Decode | None = None, explain: Explain | None = None, key: str | None = None
    ) -> None:
        self._plain = decode or msgspec.json.Decoder().decode
        self._explain = explain
        self._key = key
        self.decode = self._decode_keyed if key else self._plain

    def _decode_keyed(self, raw: Any) -> Any:
        record = self._plain(raw)
        key_in(record, self._key or "")
        return record

    def key_of(self, raw: Any) -> str | int | None:
        """The record's key, or None if it has none or cannot be read."""
        if self._key is None:
            return None
        try:
            return key_in(msgspec.json.decode(raw), self._key)
        except Exception:
            return None

    def explain(self, error: Exception, raw: Any) -> Exception | None:
        if isinstance(raw, Oversized):
            return RecordTooLarge(f"the record has {raw.length} bytes; hint: raise "
                                  "source.max_record_bytes")  # fmt: skip
        if not raw.strip():
            return None
        if isinstance(error, MissingKey):
            return error
        if raw.startswith(NOT_JSON):
            return InvalidRecord(raw.removeprefix(NOT_JSON).decode(errors="replace"))
        if isinstance(error, RecursionError):
            return InvalidRecord("the record is nested too deep to be read")
        return self._explain(error) if self._explain else InvalidRecord(str(error))
