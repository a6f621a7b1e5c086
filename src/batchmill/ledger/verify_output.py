"""Is the output what was committed to it, byte for byte and line for line?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SourceError
from ..files.streams import reading
from .reading import LedgerState
from .rewrite import PIECE_BYTES, copy_of, parsed


@dataclass(slots=True)
class OutputFacts:
    """What was found. `length` and `plain` are what counts, before and after decompressing."""

    path: Path
    length: int
    plain: int
    tail: int = 0
    """Bytes behind the committed end."""
    rewriting: bool = False
    lines: int = 0
    bad_lines: int = 0
    first_bad: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems and not self.bad_lines


def measure_output(ledger: LedgerState, path: Path) -> OutputFacts:
    """Compare length and CRC-32 of the committed part, and read each of its lines."""
    length, crc, plain = ledger.output_length, ledger.output_crc, ledger.output_plain
    done = ledger.rewriting
    if done:
        length, crc, plain = done["length"], done["crc"], done["plain"]
        path = copy_of(path) if copy_of(path).exists() else path
    facts = OutputFacts(path, length, plain, rewriting=done is not None)
    try:
        _compare(facts, crc)
        if ledger.output_identity and facts.tail and not facts.problems:
            facts.problems.append(f"{path} has {facts.tail:,} bytes more than when the last run"
                                  " ended: it was edited")  # fmt: skip
        if not facts.problems:
            _read_lines(facts)
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


def _read_lines(facts: OutputFacts) -> None:
    for line, _ in committed_lines(facts):
        facts.lines += 1
        if parsed(line) is None:
            facts.first_bad = facts.first_bad or f"line {facts.lines:,}"
            facts.bad_lines += 1


def committed_lines(facts: OutputFacts) -> Iterator[tuple[bytes, int]]:
    """The lines that count, without their ends, and the plain offset of each.

    Reads no further than the committed end, behind which there may be half a line or half a frame.
    Raises SourceError if there is less than was committed.
    """
    if not facts.plain:
        return
    rest, offset, left = b"", 0, facts.plain
    with reading(facts.path) as stream:
        while left:
            piece = stream.read(min(left, PIECE_BYTES))
            if not piece:
                raise SourceError(f"{facts.path} ends {left:,} bytes too early")
            left -= len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line, offset
                offset += len(line) + 1
    if rest:
        yield rest, offset
