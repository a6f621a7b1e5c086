"""Is the output what was committed to it, byte for byte and row for row?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SourceError
from ..formats.rows import Row, RowFormat
from .output import PIECE_BYTES, format_of, results_in, rows_in
from .reading import LedgerState
from .rewrite import copy_of


@dataclass(slots=True)
class OutputFacts:
    """What was found. `length` and `plain` are what counts, before and after decompressing."""

    path: Path
    length: int
    plain: int
    format: RowFormat
    tail: int = 0
    """Bytes behind the committed end."""
    rewriting: bool = False
    rows: int = 0
    """Results; a header is none."""
    bad_rows: int = 0
    first_bad: int = 0
    """The number of the first one that cannot be read, from 1."""
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems and not self.bad_rows


def measure_output(ledger: LedgerState, path: Path) -> OutputFacts:
    """Compare length and CRC-32 of the committed part, and read each of its rows."""
    length, crc, plain = ledger.output_length, ledger.output_crc, ledger.output_plain
    done = ledger.rewriting
    if done:
        length, crc, plain = done["length"], done["crc"], done["plain"]
        path = copy_of(path) if copy_of(path).exists() else path
    facts = OutputFacts(path, length, plain, format_of(ledger.settings), rewriting=done is not None)
    try:
        _compare(facts, crc)
        if ledger.output_identity and facts.tail and not facts.problems:
            facts.problems.append(f"{path} has {facts.tail:,} bytes more than when the last run"
                                  " ended: it was edited")  # fmt: skip
        if not facts.problems:
            _read_rows(facts)
    except (OSError, SourceError) as error:
        facts.problems.append(str(getattr(error, "message", error)))
    return facts


def _compare(facts: OutputFacts, crc: int) -> None:
    if not facts.path.exists():
        if facts.length:
            facts.problems.append(f"{facts.path} is not there")
        return
    surplus = facts.path.stat().st_size - facts.length
    if surplus < 0:
        facts.problems.append(f"{facts.path} is {-surplus:,} bytes shorter than was committed")
    elif _crc(facts.path, facts.length) != crc:
        facts.problems.append(f"{facts.path} is not what was committed: it was edited or damaged")
    facts.tail = max(0, surplus)


def _crc(path: Path, length: int) -> int:
    crc = 0
    with open(path, "rb") as file:
        while length and (piece := file.read(min(length, PIECE_BYTES))):
            crc = zlib.crc32(piece, crc)
            length -= len(piece)
    return crc


def _read_rows(facts: OutputFacts) -> None:
    end = 0
    for row in rows_in(facts.path, facts.format, facts.plain):
        end = row.offset + len(row.raw) + 1
        if row.is_head:
            continue
        facts.rows += 1
        if row.result is None:
            facts.first_bad = facts.first_bad or facts.rows
            facts.bad_rows += 1
    if end != facts.plain:
        facts.problems.append(f"{facts.path} was committed up to a place that is no row's end")


def committed(facts: OutputFacts) -> Iterator[Row]:
    """The results that count. Raises SourceError if there is less than was committed."""
    return results_in(facts.path, facts.format, facts.plain)
