"""How is an output of comma-separated rows written: with which delimiter, quotes and columns?"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..errors import ConfigError
from ..options import require

QUOTINGS = ("minimal", "all", "nonnumeric")
LINE_ENDS = ("\n", "\r\n")
QUOTES = ('"', "'")
TAB_FORMAT = "tsv"

_SPECIAL = frozenset('\r\n\0"')


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvShape:
    """The options of a CSV or TSV sink, checked. Raises ConfigError that names option and remedy.

    `fieldnames` are the columns and their order; without them those of the first result. Without a
    `header` they have to be given: nothing else would tell what the cells are.
    """

    delimiter: str = ","
    quotechar: str = '"'
    quoting: str = "minimal"
    lineterminator: str = "\n"
    encoding: str = "utf-8"
    fieldnames: tuple[str, ...] | None = None
    header: bool = True
    guard_formulas: bool = False

    def __post_init__(self) -> None:
        one = isinstance(self.delimiter, str) and len(self.delimiter) == 1
        require(one and self.delimiter not in _SPECIAL | {self.quotechar}, "sink.delimiter",
                self.delimiter, 'one character, such as "," or ";" or "\\t"')  # fmt: skip
        _one_of("sink.quotechar", self.quotechar, QUOTES)
        _one_of("sink.quoting", self.quoting, QUOTINGS)
        _one_of("sink.lineterminator", self.lineterminator, LINE_ENDS)
        require(_can_be_cut(self.encoding), "sink.encoding", self.encoding,
                'one whose ASCII is ASCII: "utf-8", "utf-8-sig" for Excel, "cp1252"')  # fmt: skip
        _require_names(self.fieldnames)
        require(isinstance(self.header, bool), "sink.header", self.header, "true or false")
        require(isinstance(self.guard_formulas, bool), "sink.guard_formulas", self.guard_formulas,
                "true or false")  # fmt: skip
        require(self.header or self.fieldnames is not None, "sink.header", self.header,
                "without a header, give the columns as sink.fieldnames")  # fmt: skip

    @classmethod
    def of(cls, options: Mapping[str, Any], kind: str = "csv") -> CsvShape:
        """The shape that the options of a sink ask for; tabs delimit "tsv" if they do not say."""
        given = {"delimiter": "\t" if kind == TAB_FORMAT else ",", **options}
        names = given.get("fieldnames")
        if isinstance(names, Sequence) and not isinstance(names, str):
            given["fieldnames"] = tuple(names)
        if isinstance(given.get("encoding"), str):
            given["encoding"] = _plain_name(given["encoding"])
        return cls(**given)

    @property
    def codec(self) -> str:
        """The encoding of everything but the mark at the file's beginning."""
        return "utf-8" if self.encoding == "utf-8-sig" else self.encoding

    @property
    def byte_order_mark(self) -> bytes:
        return codecs.BOM_UTF8 if self.encoding == "utf-8-sig" else b""

    def settings(self) -> dict[str, Any]:
        """The options as settings that matter: with others, the file would not be one."""
        names = self.fieldnames
        return {f"sink.{name}": getattr(self, name) for name in OPTIONS} | {
            "sink.fieldnames": None if names is None else list(names)
        }

    @classmethod
    def remembered(cls, settings: Mapping[str, Any]) -> CsvShape:
        """The shape that these settings are of."""
        named = {name: settings.get(f"sink.{name}") for name in OPTIONS}
        return cls.of({name: value for name, value in named.items() if value is not None})


OPTIONS = tuple(field.name for field in fields(CsvShape))


def _one_of(option: str, value: object, allowed: tuple[str, ...]) -> None:
    require(value in allowed, option, value, "one of " + ", ".join(map(repr, allowed)))


def _require_names(names: object) -> None:
    if names is None:
        return
    sound = isinstance(names, tuple) and names and all(isinstance(name, str) for name in names)
    require(bool(sound), "sink.fieldnames", names, "a list of the columns, each a text")
    assert isinstance(names, tuple)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"sink.fieldnames has {', '.join(map(repr, twice))} more than once",
                          hint="sink.fieldnames: every column once")  # fmt: skip


def _plain_name(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return encoding


def _can_be_cut(encoding: object) -> bool:
    """Whether a quote or a line end in the bytes is always one in the text, too.

    Not so in UTF-16, nor in encodings that switch between sets of characters.
    """
    ascii_text = "".join(map(chr, range(128)))
    try:
        plain = ascii_text.encode(str(encoding)).removeprefix(codecs.BOM_UTF8)
        other = "\N{LATIN SMALL LETTER E WITH ACUTE}\u65e5\u672c".encode(str(encoding), "ignore")
    except (LookupError, UnicodeError, TypeError):
        return False
    return plain == ascii_text.encode("ascii") and all(byte >= 0x40 for byte in other)
