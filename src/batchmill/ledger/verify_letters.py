"""Dead letters against the source: each holds the record that stands at its place."""

from __future__ import annotations

from typing import Any

from ..errors import SourceError
from ..protocols import Source
from ..records import DeadLetter, Mark, Oversized
from .reading import LedgerState


def compare_letters(ledger: LedgerState, source: Source) -> list[str]:
    """What is wrong, in a sentence each. Reads the source as far as there are dead letters."""
    letters = ledger.letters()
    letter = next(letters, None)
    others, first = 0, -1
    try:
        for block in source.blocks(Mark()) if letter else ():
            while letter is not None and letter.seq < block.end.seq:
                if not _holds(letter, block.records[letter.seq - block.mark.seq]):
                    others, first = others + 1, first if others else letter.seq
                letter = next(letters, None)
            if letter is None:
                break
    except (SourceError, OSError) as error:
        return [str(getattr(error, "message", error))]
    problems = [f"seq {letter.seq} has a dead letter, and the source ends before"] if letter else []
    if others:
        problems.append(f"{others:,} dead letters hold other records, the first is seq {first}")
    return problems


def _holds(letter: DeadLetter, raw: Any) -> bool:
    """Whether it is of this record. Of one that is too large both may have the beginning only."""
    found = raw.head if isinstance(raw, Oversized) else raw
    if letter.complete and found is raw:
        return bool(letter.raw == found)
    return letter.raw.startswith(found) or found.startswith(letter.raw)
