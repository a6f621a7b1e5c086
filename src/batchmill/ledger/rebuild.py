"""Progress found again, by key, when source or output are no longer what they were."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.progress import Progress
from ..errors import Changed, SourceError
from ..formats.rows import RowFormat
from ..protocols import Source
from ..records import Counts, Mark, Outcome, OutcomeCode
from .aside import keep_copy
from .ledger import SqliteLedger
from .marks import Marks
from .misspelt import TABLE as ALIKE
from .misspelt import alike, refuse_misspelt, suspect
from .output import PIECE_BYTES, pieces_of, results_in
from .remembered import Letters, Remembered
from .rewrite import finish_rewrite, write_copy

ROWS = 1000
_TABLE = """
CREATE TABLE keys (
  key TEXT PRIMARY KEY, alike TEXT, count INT, rerun INT, taken INT DEFAULT 0
) WITHOUT ROWID
"""
SAMPLE = 10
"""Rows that an output must have before their share says something."""


@dataclass(slots=True)
class Found:
    """What a rebuild found."""

    kind: str
    """What every row should have been."""
    settled: int = 0
    without: int = 0
    """Records that are known to have no result: filtered, or with an empty list of results."""
    failed: int = 0
    pending: int = 0
    reruns: int = 0
    broken: int = 0
    """Rows of the output that could not be read and are taken out."""
    kept: str = ""
    """The output as it was, where rows were taken out."""
    strangers: int = 0
    """Results whose record the source no longer has; they stay."""

    def __str__(self) -> str:
        parts = [f"{self.settled} records have a result"]
        if self.without:
            parts.append(f"{self.without} are known to have none")
        if self.failed:
            parts.append(f"{self.failed} have failed")
        parts.append(f"{self.pending} are to be called")
        if self.reruns:
            parts.append(f"{self.reruns} are marked to be run again")
        if self.broken:
            parts.append(
                f"{self.broken} lines that are no {self.kind} were taken out (kept in {self.kept})"
            )
        if self.strangers:
            parts.append(f"{self.strangers} results belong to no record of the source")
        return ", ".join(parts)


def rebuild(
    ledger: SqliteLedger,
    source: Source,
    output: Path,
    rows: RowFormat,
    *,
    key: str,
    rerun_key: str | None,
    key_of: Callable[[Any], str | int | None],
) -> Found:
    """Settle the records whose key the output has, and those that the ledger knows to have no
    result or to have failed; mark reruns; everything else is pending.

    A key that stands on n lines of the output settles the first n records that have it. Keys are
    kept in a temporary database on disk, so memory does not grow with them.

    Raises Changed if a line of the output has no key, or spells that of a record in another way.
    """
    found = Found(rows.kind)

    def spelled(raw: Any) -> str | int | None:
        """The key of a record as a result of it would show it."""
        found_key = key_of(raw)
        return None if found_key is None else rows.key(found_key)

    with closing(sqlite3.connect("")) as keys:
        keys.execute(_TABLE)
        length, crc, plain, ends, rewriting = 0, 0, 0, True, None
        if output.exists():
            with _refusing():
                _read_output(keys, output, rows, key, rerun_key, found)
                length, crc, plain, ends = _measure(output)
        if found.broken:
            found.kept = str(keep_copy(output))
        if found.broken or not ends:
            rewriting = write_copy(output, rows, lambda row: row.is_head or row.result is not None)
        keys.executescript(ALIKE)
        _mark_unfinished(keys, ledger)
        remembered = Remembered(keys, ledger, rows)
        end = rewriting["plain"] if rewriting else plain
        with ledger.rebuilding(length, crc, plain) as letters:
            reader = _Reader(keys, remembered, letters, ledger, spelled, end)
            reader.read(source, found)
            refuse_misspelt(keys, output, key)
            ledger.restate(reader.progress, reader.counts, reader.marks, rewriting)
        finish_rewrite(ledger, output)
    return found


@contextmanager
def _refusing() -> Iterator[None]:
    """An output that cannot be read to its end is no ground to build on."""
    try:
        yield
    except SourceError as error:
        raise Changed(error.message, hint=error.hint) from error


def _mark_unfinished(keys: sqlite3.Connection, ledger: SqliteLedger) -> None:
    """Have the records called again whose rerun was under way: waiting, or done while the old
    result is still there. Where that stands is no longer known."""
    for table in ("reruns", "superseded"):
        marked = ledger.db.execute(f"SELECT key FROM {table}")
        keys.executemany("UPDATE keys SET rerun = 1 WHERE key = ?", map(tuple, marked))


def _read_output(
    keys: sqlite3.Connection,
    output: Path,
    form: RowFormat,
    key: str,
    rerun_key: str | None,
    found: Found,
) -> None:
    rows: list[tuple[str, str, int, int]] = []
    number = 0
    for number, (_, _, result, _) in enumerate(results_in(output, form), 1):
        if result is None:
            found.broken += 1
            continue
        if key not in result:
            raise Changed(f"line {number} of {output} has no {key!r}: progress cannot be rebuilt",
                          hint="put it back as it was; or have the task return the key, and begin"
                          " anew with --restart, which keeps the old output",
                          )  # fmt: skip
        own = form.key(result[key])
        rows.append((json.dumps(own), alike(own), 1, _is_marked(form, result, rerun_key)))
        if len(rows) >= ROWS:
            _add(keys, rows)
    _add(keys, rows)
    if number >= SAMPLE and found.broken * 2 > number:
        raise Changed(
            f"{found.broken:,} of the {number:,} rows of {output} are no {form.kind}",
            hint="put it back as it was (each row of CSV needs as many cells as the header), or"
            " begin anew with --restart, which keeps the old output",
        )


def _is_marked(form: RowFormat, result: dict[str, Any], rerun_key: str | None) -> bool:
    return rerun_key in result and form.is_marked(result[rerun_key])


def _add(keys: sqlite3.Connection, rows: list[tuple[str, str, int, int]]) -> None:
    keys.executemany(
        "INSERT INTO keys (key, alike, count, rerun) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET count = count + 1, rerun = max(rerun, excluded.rerun)",
        rows,
    )
    rows.clear()


def _measure(output: Path) -> tuple[int, int, int, bool]:
    """Length and CRC-32 of the file, its length before compression, and whether its last line has
    an end."""
    length = crc = plain = 0
    last = b"\n"
    with open(output, "rb") as file:
        while chunk := file.read(PIECE_BYTES):
            length, crc = length + len(chunk), zlib.crc32(chunk, crc)
    for piece in pieces_of(output):
        plain, last = plain + len(piece), piece[-1:]
    return length, crc, plain, last == b"\n"


class _Reader:
    """Goes through the source once and says of each record what became of it."""

    def __init__(
        self,
        keys: sqlite3.Connection,
        remembered: Remembered,
        letters: Letters,
        ledger: SqliteLedger,
        key_of: Callable[[Any], str | int | None],
        end: int,
    ) -> None:
        """`end` is where the output will end, before compression."""
        self.progress, self.counts, self.marks = Progress(), Counts(), Marks(Mark(), Mark())
        self._keys = keys
        self._remembered = remembered
        self._letters = letters
        self._ledger = ledger
        self._key_of = key_of
        self._end = end
        self._reruns: list[tuple[int, object, bytes, Outcome]] = []
        self._rowless: list[tuple[int, str | int]] = []

    def read(self, source: Source, found: Found) -> None:
        for block in source.blocks(Mark()):
            for seq, raw in enumerate(block.records, block.mark.seq):
                self._settle(seq, raw, found)
            self.marks.add([block.end], self.progress.low_water)
            found.reruns += self._ledger.queue_reruns(self._reruns, self._end)
            self._ledger.note_rowless(self._rowless)
            self._reruns.clear()
            self._rowless.clear()
        found.strangers = _left(self._keys)

    def _settle(self, seq: int, raw: Any, found: Found) -> None:
        key = self._key_of(raw)
        spelled = None if key is None else json.dumps(key)
        rerun = None if spelled is None else _take(self._keys, spelled)
        if rerun is not None:
            self._note(seq, OutcomeCode.WITH_ROWS)
            found.settled += 1
            if rerun:
                self._reruns.append((seq, key, raw, "succeeded"))
        elif spelled is not None and (known := self._remembered.without_rows(spelled)):
            self._settle_rowless(seq, key, raw, *known)
            found.without += 1
        elif self._has_failed(seq, raw):
            self._note(seq, OutcomeCode.FAILED)
            found.failed += 1
        else:
            found.pending += 1
            if key is not None:
                suspect(self._keys, key)

    def _settle_rowless(self, seq: int, key: Any, raw: Any, code: OutcomeCode, rerun: bool) -> None:
        self._note(seq, code)
        self._rowless.append((seq, key))
        if rerun and code.outcome is not None:
            self._reruns.append((seq, key, raw, code.outcome))

    def _has_failed(self, seq: int, raw: Any) -> bool:
        """Whether a dead letter is this record's; it then has its seq."""
        before = self._remembered.failed(raw) if isinstance(raw, bytes) else None
        if before is None or not self._letters.move(before, seq, raw):
            return False
        self._remembered.take(before)
        return True

    def _note(self, seq: int, code: OutcomeCode) -> None:
        self.progress.settle(seq, seq + 1, code)
        self.counts.note(code, 1)


def _left(keys: sqlite3.Connection) -> int:
    """How many results are no record's."""
    return int(keys.execute("SELECT coalesce(sum(count), 0) FROM keys").fetchone()[0])


def _take(keys: sqlite3.Connection, key: str) -> int | None:
    """Whether a result with this key is to be run again; None if there is no result left."""
    row = keys.execute("SELECT count, rerun FROM keys WHERE key = ?", (key,)).fetchone()
    if row is None or not row[0]:
        return None
    keys.execute("UPDATE keys SET count = count - 1, taken = 1 WHERE key = ?", (key,))
    return int(row[1])
