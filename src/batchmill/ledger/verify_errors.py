"""Does the errors file show the ledger's dead letters? It is a copy, and may be behind."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..formats.json_rows import JsonRows
from .output import rows_in
from .reading import LedgerState

Verdict = Literal["agrees", "note"]


def compare_errors(ledger: LedgerState, path: Path) -> tuple[Verdict, str]:
    """Look up each of its lines in the ledger. Differences are a note: the next run rewrites it."""
    failed = ledger.counts.failed
    if not path.is_file():
        return _missing(path, failed)
    shown = others = 0
    for row in rows_in(path, JsonRows()):
        seq = row.result.get("seq") if row.result else None
        known = isinstance(seq, int) and ledger.has_failed(seq)
        shown, others = shown + known, others + (not known)
    if shown == failed and not others:
        return "agrees", f"{shown:,} dead letters"
    return "note", (
        f"it shows {shown:,} of {failed:,} dead letters, and {others:,} lines that are none, or"
        " none any more; the next run brings it up to date"
    )


def _missing(path: Path, failed: int) -> tuple[Verdict, str]:
    if failed:
        return "note", f"{path} is not there; the next run writes it"
    return "agrees", "no dead letters"
