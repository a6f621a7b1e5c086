"""Marking records to be run again: those that keys name, or those that were filtered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..protocols import Source
from ..records import Mark, Outcome, OutcomeCode
from .ledger import SqliteLedger
from .output import format_of, key_text, results_in

KeyOf = Callable[[Any], str | int | None]

SHOWN = 5
"""Most keys that a message names."""

_TABLE = """
CREATE TABLE found (
  seq INTEGER PRIMARY KEY, wanted TEXT NOT NULL, key TEXT NOT NULL, raw BLOB NOT NULL,
  state TEXT NOT NULL, result INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX found_key ON found (key);
"""


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of the keys. Of `failed` and `pending` a few are named, for a message."""

    queued: int
    failed: int
    pending: int
    failed_keys: tuple[str, ...] = ()
    pending_keys: tuple[str, ...] = ()


def mark_reruns(
    ledger: SqliteLedger,
    source: Source,
    output: Path,
    *,
    key: str,
    wanted: Collection[str],
    key_of: KeyOf,
) -> Marked:
    """Have the records with these keys called again. Their results stand until there are new ones.

    A key is compared as text, so "5" names the records with "5" and with 5. Records that have
    failed or have not been called yet are left to the runs that call them anyway. Source and output
    are each read once; what is found is kept in a temporary database on disk.

    Raises ConfigError, and marks nothing, if a key names no record or more than one, or if a result
    has no key, because the results to be replaced could then not be told from others.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.executescript(f"{_TABLE} BEGIN;")
        _find_records(db, ledger, source, frozenset(wanted), key_of)
        _refuse_unknown(db, source, key, wanted)
        _refuse_ambiguous(db, key)
        if _count(db, "settled"):
            _find_results(db, ledger, output, key)
            _refuse_other_spelling(db, output, key)
        return Marked(
            queued=_queue(db, ledger),
            failed=_count(db, "failed"),
            pending=_count(db, "pending"),
            failed_keys=_some(db, "failed"),
            pending_keys=_some(db, "pending"),
        )


def _find_records(
    db: sqlite3.Connection,
    ledger: SqliteLedger,
    source: Source,
    wanted: frozenset[str],
    key_of: KeyOf,
) -> None:
    spelled = format_of(ledger.settings).key
    for block in source.blocks(Mark()):
        for seq, raw in enumerate(block.records, block.mark.seq):
            key = key_of(raw)
            if key is None or str(key) not in wanted:
                continue
            row = (seq, str(key), json.dumps(spelled(key)), raw, _state(ledger, seq))
            db.execute("INSERT INTO found (seq, wanted, key, raw, state) VALUES (?,?,?,?,?)", row)


def _state(ledger: SqliteLedger, seq: int) -> str:
    """Its state in a word: "failed", "pending", or which outcome it has."""
    if ledger.has_failed(seq):
        return "failed"
    return ledger.progress.code(seq).name.lower()


def _refuse_unknown(
    db: sqlite3.Connection, source: Source, key: str, wanted: Collection[str]
) -> None:
    known = {text for (text,) in db.execute("SELECT DISTINCT wanted FROM found")}
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise ConfigError(
            f"{source.name} has no record whose {key!r} is {_named(unknown)}",
            hint="nothing was marked; correct the keys and try again",
        )


def _refuse_ambiguous(db: sqlite3.Connection, key: str) -> None:
    rows = db.execute(
        "SELECT wanted, count(*) FROM found GROUP BY key HAVING count(*) > 1"
    ).fetchall()
    if rows:
        raise ConfigError(
            f"{key!r} = {rows[0][0]!r} names {rows[0][1]} records, whose results cannot be told"
            " apart",
            hint="nothing was marked; a record that is to be run again by its key needs one of its"
            " own",
        )


def _find_results(db: sqlite3.Connection, ledger: SqliteLedger, output: Path, key: str) -> None:
    """Note which of the records have a result. What lies behind the committed end is none."""
    sought = {text for (text,) in db.execute("SELECT key FROM found")}
    rows = format_of(ledger.settings)
    for number, row in enumerate(results_in(output, rows, ledger.output_plain), 1):
        text = key_text(row, key, rows)
        if text is None:
            raise ConfigError(
                f"line {number} of {output} has no {key!r}, so results cannot be found by key",
                hint="nothing was marked; have the task return the key, and begin anew with"
                " --restart",
            )
        if text in sought:
            db.execute("UPDATE found SET result = 1 WHERE key = ?", (text,))


def _refuse_other_spelling(db: sqlite3.Connection, output: Path, key: str) -> None:
    """A record that has rows in the output, none of which carries its key, would be doubled."""
    row = db.execute("SELECT wanted FROM found WHERE state = 'with_rows' AND NOT result").fetchone()
    if row:
        raise ConfigError(
            f"the results of {row[0]!r} in {output} do not carry {key!r} as the record spells it",
            hint="nothing was marked; have the task return the key as it is, and begin anew with"
            " --restart",
        )


def _queue(db: sqlite3.Connection, ledger: SqliteLedger) -> int:
    query = f"SELECT seq, key, raw, state, result FROM found WHERE {_SETTLED} ORDER BY seq"
    rows = _with_outcomes(db.execute(query), ledger.counts.filtered)
    return ledger.queue_reruns(rows, ledger.output_plain)


def _with_outcomes(
    rows: Iterable[tuple[int, str, bytes, str, int]], filtered: int
) -> Iterator[tuple[int, object, bytes, Outcome]]:
    """Where the ledger does not know the outcome, a record without a result was filtered, as long
    as there are filtered ones; else it had none."""
    for seq, key, raw, state, result in rows:
        was = OutcomeCode[state.upper()].outcome
        if was is None:
            was = "succeeded" if result or not filtered else "filtered"
            filtered -= was == "filtered"
        yield seq, json.loads(key), raw, was


def mark_filtered(ledger: SqliteLedger, source: Source) -> int:
    """Have the records called again that were filtered; returns how many. Reads the source once.

    Raises ConfigError where the ledger does not know which they are.
    """
    if ledger.tally()[OutcomeCode.UNKNOWN] and ledger.counts.filtered:
        raise ConfigError(
            "this job was begun by an earlier batchmill, whose ledger does not tell which records"
            " were filtered",
            hint="begin anew with --restart, or name the records: rerun --key K",
        )
    was: Outcome = "filtered"
    records = (
        (seq, None, raw, was)
        for block in source.blocks(Mark())
        for seq, raw in enumerate(block.records, block.mark.seq)
        if ledger.progress.code(seq) is OutcomeCode.FILTERED
    )
    return ledger.queue_reruns(records, ledger.output_plain)


_SETTLED = "state NOT IN ('failed', 'pending')"


def _count(db: sqlite3.Connection, state: str) -> int:
    which = _SETTLED if state == "settled" else f"state = '{state}'"
    return int(db.execute(f"SELECT count(*) FROM found WHERE {which}").fetchone()[0])


def _some(db: sqlite3.Connection, state: str) -> tuple[str, ...]:
    query = "SELECT wanted FROM found WHERE state = ? ORDER BY seq LIMIT ?"
    return tuple(text for (text,) in db.execute(query, (state, SHOWN)))


def _named(keys: list[str]) -> str:
    shown = ", ".join(repr(text) for text in keys[:SHOWN])
    more = len(keys) - SHOWN
    return f"{shown} or {more:,} others" if more > 0 else shown
