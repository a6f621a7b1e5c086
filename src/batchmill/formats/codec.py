"""The codecs: raw records in, encoded results out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import InvalidRecord, MissingKey, RecordTooLarge
from ..records import Oversized
from ..sources.iterable import NOT_JSON
from .encode import encode_result

Decode = Callable[[Any], Any]
Explain = Callable[[Exception], Exception]


class JsonCodec:
    """Lines of JSON in, lines of JSON out. The driver never parses them; the slots do."""

    join = b"".join
    encode = staticmethod(encode_result)

    def __init__(
        self, decode: Decode | None = None, explain: Explain | None = None, key: str | None = None
    ) -> None:
        self._plain = decode or msgspec.json.Decoder().decode
        self._explain = explain
        self._key = key
        self.decode = self._decode_keyed if key else self._plain

    def _decode_keyed(self, raw: Any) -> Any:
        record = self._plain(raw)
        _key_in(record, self._key or "")
        return record

    def key_of(self, raw: Any) -> str | int | None:
        """The record's key, or None if it has none or cannot be read."""
        if self._key is None:
            return None
        try:
            return _key_in(msgspec.json.decode(raw), self._key)
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


def _key_in(record: Any, key: str) -> str | int:
    value = record.get(key, _ABSENT) if isinstance(record, dict) else getattr(record, key, _ABSENT)
    if value is _ABSENT:
        raise MissingKey(f"the record has no {key!r}")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MissingKey(f"the record's {key!r} is {value!r}; a key is a string or an integer")
    return value


_ABSENT = object()


class ItemCodec:
    """Items in, results out, as they are: for a job that keeps its results in memory."""

    def __init__(self, key: str | None = None) -> None:
        self._key = key

    @staticmethod
    def decode(raw: Any) -> Any:
        return raw

    @staticmethod
    def encode(result: Any) -> Any:
        return result

    @staticmethod
    def join(rows: list[Any]) -> list[Any]:
        return list(rows)

    def key_of(self, raw: Any) -> str | int | None:
        try:
            return _key_in(raw, self._key) if self._key else None
        except MissingKey:
            return None

    def explain(self, error: Exception, raw: Any) -> Exception | None:  # noqa: ARG002
        return error


class JsonInCodec:
    """Lines of JSON in, results as they are: a file whose results are kept in memory."""

    encode = staticmethod(ItemCodec.encode)
    join = staticmethod(ItemCodec.join)

    def __init__(self, lines: JsonCodec) -> None:
        self.decode = lines.decode
        self.key_of = lines.key_of
        self.explain = lines.explain
