"""How is a CSV source spelled: delimiter, quotes, encoding, names?"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ..errors import ConfigError
from ..options import require

MAX_RECORD_BYTES = 1 << 20
"""Longest record; and how far a quote's end is looked for."""

_LINE_ENDS = "\r\n\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvDialect:
    """The options of a CSV source, checked. Raises ConfigError that names option and remedy.

    No `quotechar` ("") means that no field is quoted. With `fieldnames` the files have no header.
    """

    delimiter: str = ","
    quotechar: str = '"'
    escapechar: str = ""
    doublequote: bool = True
    encoding: str = "utf-8"
    fieldnames: tuple[str, ...] | None = None
    max_record_bytes: int = MAX_RECORD_BYTES
    file_field: str = ""
    is_given: bool = True
    """Whether the delimiter was given, and did not follow from the format."""

    def __post_init__(self) -> None:
        _require_char("delimiter", self.delimiter, 'one character: delimiter = ";"')
        signs = [sign for sign in (self.delimiter, self.quotechar, self.escapechar) if sign != ""]
        for option, sign in (("quotechar", self.quotechar), ("escapechar", self.escapechar)):
            if sign != "":
                _require_char(option, sign, 'one character, or "" for none')
        require(len(set(signs)) == len(signs), "source.delimiter", self.delimiter,
                "another character than quotechar and escapechar")  # fmt: skip
        require(isinstance(self.doublequote, bool), "source.doublequote", self.doublequote,
                "true or false")  # fmt: skip
        _require_encoding(self.encoding, signs)
        require_size(self.max_record_bytes)
        require(isinstance(self.file_field, str), "source.file_field", self.file_field,
                "the name of a field")  # fmt: skip
        if self.fieldnames is not None:
            require(bool(self.fieldnames), "source.fieldnames", self.fieldnames,
                    "the name of every column")  # fmt: skip
            require_unlike(self.fieldnames, "source.fieldnames", "give every column its own name")

    @classmethod
    def of(cls, options: Mapping[str, Any], kind: str = "csv") -> CsvDialect:
        """The dialect that a source's options ask for; tabs delimit "tsv" if they do not say."""
        given = dict(options)
        given["is_given"] = "delimiter" in options
        given.setdefault("delimiter", "\t" if kind == "tsv" else ",")
        names = given.get("fieldnames")
        if names is not None:
            texts = isinstance(names, list | tuple) and all(isinstance(n, str) for n in names)
            require(texts, "source.fieldnames", names, 'a list of texts: ["id", "name"]')
            given["fieldnames"] = tuple(names)
        return cls(**given)

    @property
    def text_encoding(self) -> str:
        """The encoding of the bytes that records are cut from."""
        marked = codecs.lookup(self.encoding).name == "utf-8-sig"
        return "utf-8" if marked or self.is_recoded else self.encoding

    @property
    def is_recoded(self) -> bool:
        """Whether the bytes are read as UTF-8 because they cannot be cut as they are."""
        return not can_be_cut(self.encoding)

    def settings(self) -> dict[str, Any]:
        """What of it decides what the records are, as JSON values."""
        names = list(self.fieldnames) if self.fieldnames else None
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quotechar,
            "escapechar": self.escapechar,
            "doublequote": self.doublequote,
            "encoding": codecs.lookup(self.encoding).name,
            "fieldnames": names,
        }

    def bytes_of(self, sign: str) -> bytes:
        return sign.encode(self.text_encoding)

    def for_csv(self) -> dict[str, Any]:
        """The arguments of csv.reader."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quotechar or None,
            "quoting": csv.QUOTE_MINIMAL if self.quotechar else csv.QUOTE_NONE,
            "escapechar": self.escapechar or None,
            "doublequote": self.doublequote,
            "strict": True,
        }


OPTIONS = tuple(field.name for field in fields(CsvDialect) if field.name != "is_given")


def require_size(value: object) -> None:
    sound = isinstance(value, int) and not isinstance(value, bool) and value > 0
    require(sound, "source.max_record_bytes", value, "a number of bytes above zero")


def require_unlike(names: tuple[str, ...], what: str, hint: str) -> None:
    """Raise ConfigError if a name stands twice."""
    twice = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if twice:
        listed = ", ".join(map(repr, twice))
        raise ConfigError(f"{what} has {listed} more than once", hint=hint)


def _require_char(option: str, sign: object, remedy: str) -> None:
    sound = isinstance(sign, str) and len(sign) == 1 and sign not in _LINE_ENDS
    require(sound, f"source.{option}", sign, remedy)


def require_encoding(encoding: object) -> None:
    """Raise ConfigError for what is no encoding of text."""
    try:
        "a".encode(str(encoding))
    except LookupError:
        raise ConfigError(f"source.encoding = {encoding!r} is not known",
                          hint='"utf-8", "utf-16", "cp1252", "latin-1", …') from None  # fmt: skip


def _require_encoding(encoding: object, signs: list[str]) -> None:
    require_encoding(encoding)
    for sign in signs:
        try:
            sign.encode(str(encoding))
        except UnicodeEncodeError:
            raise ConfigError(f"source.delimiter = {sign!r} is no character of {encoding}",
                              hint="give another delimiter or encoding") from None  # fmt: skip


_SECOND_BYTES = (0x30, 0x40, 0x41, 0xA1)
"""Bytes that stand second in characters of two bytes: one of them in every such encoding."""
_FAR = "\u65e5\uac00"
"""Characters that encodings which switch between sets write with bytes of ASCII."""


@cache
def can_be_cut(encoding: str) -> bool:
    """Whether a byte of ASCII always is that character: so in UTF-8 and where every character is
    one byte; not in UTF-16, nor where a character's second byte may look like another."""
    name = codecs.lookup(encoding).name
    if name in ("utf-8", "ascii"):
        return True
    ascii_bytes = bytes(range(128))
    if ascii_bytes.decode(encoding, "replace") != ascii_bytes.decode("ascii"):
        return False
    if any(byte < 128 for byte in _FAR.encode(encoding, "ignore")):
        return False
    pairs = (bytes([high, low]) for high in range(128, 256) for low in _SECOND_BYTES)
    return not any(_characters(pair, encoding) == 1 for pair in pairs)


def _characters(data: bytes, encoding: str) -> int:
    """How many characters these bytes are; 0 if they are none."""
    try:
        return len(data.decode(encoding))
    except UnicodeDecodeError:
        return 0
