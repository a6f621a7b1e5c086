"""Does every key have as many outcomes as the source has records for it, and no more?"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, Literal

from ..errors import SourceError
from ..protocols import Source
from ..records import Mark
from .output import key_text
from .reading import LedgerState
from .verify_output import OutputFacts, committed

KeyOf = Callable[[Any], str | int | None]
Spelled = Callable[[str | int], str | int]
Verdict = Literal["agrees", "note", "differs"]

ROWS = 1000

_TABLE = """
CREATE TABLE keys (
  key TEXT PRIMARY KEY, records INTEGER NOT NULL, results INTEGER NOT NULL, lines INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
BEGIN;
"""
_ADD = """
INSERT INTO keys VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  records = records + excluded.records, results = results + excluded.results,
  lines = lines + excluded.lines
"""
_SUMS = """
SELECT count(*) FILTER (WHERE records = 0 AND lines > 0),
       coalesce(sum(max(0, results - records)), 0),
       coalesce(sum(max(0, records - lines)), 0),
       count(*) FILTER (WHERE lines > results),
       min(key) FILTER (WHERE results > records AND records > 0)
FROM keys
"""


def compare_keys(
    ledger: LedgerState, output: OutputFacts, source: Source, key: str, key_of: KeyOf
) -> tuple[Verdict, str]:
    """Count results and records by key, in a temporary database on disk.

    A record's result may be a list; its lines then stand together, and count as one result. So a
    key with more results than records is a record that was written twice, unless the field means
    something else in the results than in the records. That shows in other records having no result
    under their key, or in results without a record, and then it is a note.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.executescript(_TABLE)
        try:
            keyless = _count_results(db, ledger, output, key)
            spelled = output.format.key
            _count_records(db, source, key_of, spelled, ledger.marks.extent.seq)
        except (OSError, SourceError) as error:
            return "differs", str(getattr(error, "message", error))
        strangers, doubled, missing, lists, first = db.execute(_SUMS).fetchone()
    if keyless:
        return "note", f"{keyless:,} results have no {key!r}, so they cannot be counted by it"
    missing -= ledger.counts.filtered + ledger.counts.failed + ledger.pending
    doubled -= ledger.awaited()
    if doubled > 0 and not strangers and missing <= 0:
        return "differs", f"{doubled:,} results too many for the records of their {key!r}: {first}"
    notes = _notes(key, strangers, missing, doubled)
    more = f"; {lists:,} of them have several lines" if lists else ""
    if notes:
        return "note", "; ".join(notes) + more
    return "agrees", f"no {key!r} has more results than records{more}"


def _notes(key: str, strangers: int, missing: int, doubled: int) -> list[str]:
    notes = []
    if strangers:
        notes.append(f"{strangers:,} values of {key!r} in the output are no record's")
    if missing > 0:
        notes.append(f"{missing:,} records that succeeded have no result under their {key!r}")
    if doubled > 0:
        notes.append(f"{doubled:,} results more than there are records of their {key!r}")
    return notes


def _count_results(
    db: sqlite3.Connection, ledger: LedgerState, output: OutputFacts, key: str
) -> int:
    """Add the results, but for those that are replaced and still to be taken out; returns how many
    have no key."""
    replaced = ledger.superseded()
    keyless, last = 0, ""
    rows: list[tuple[str, int, int, int]] = []
    for row in committed(output):
        text = key_text(row, key, output.format)
        if text is None:
            keyless, last = keyless + 1, ""
        elif row.offset >= replaced.get(text, 0):
            rows.append((text, 0, text != last, 1))
            last = text
        if len(rows) >= ROWS:
            db.executemany(_ADD, rows)
            rows.clear()
    db.executemany(_ADD, rows)
    return keyless


def _count_records(
    db: sqlite3.Connection, source: Source, key_of: KeyOf, spelled: Spelled, stop: int
) -> None:
    """Add the records that were read."""
    raws = _raws(source, stop)
    while piece := list(islice(raws, ROWS)):
        keys = [key_of(raw) for raw in piece]
        rows = [(json.dumps(spelled(key)), 1, 0, 0) for key in keys if key is not None]
        db.executemany(_ADD, rows)


def _raws(source: Source, stop: int) -> Iterator[Any]:
    for block in source.blocks(Mark()):
        if block.mark.seq >= stop:
            return
        yield from block.records[: stop - block.mark.seq]
