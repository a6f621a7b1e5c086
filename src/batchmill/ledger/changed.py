"""What was changed since the last run, as the ledger remembers it? Asked without writing."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from ..core.changes import differences
from ..errors import Changed
from ..protocols import Source
from .reading import LedgerState

_PIECE_BYTES = 1 << 20


ONE_FILE = ("sink.format", "sink.delimiter", "sink.quotechar", "sink.encoding", "sink.header",
            "sink.guard_formulas")  # fmt: skip
"""Settings that one file cannot have of two kinds, whoever accepts it."""


def changed_settings(
    ledger: LedgerState, settings: dict[str, Any], *, accept: bool = False
) -> Changed | None:
    """The error for settings that matter and are not what they were; `accept` leaves those that
    would make the output a file that cannot be read. Where no record is settled, nothing was made
    with the old ones."""
    if not ledger.counts.settled:
        return None
    of_file = {name: was for name, was in ledger.settings.items() if name in ONE_FILE}
    mixed = differences(of_file, settings) if ledger.output_length else []
    if mixed:
        return Changed(
            f"one file cannot be written in two ways: {'; '.join(mixed)}",
            hint="change it back, or begin anew with --restart, which keeps the old output",
        )
    found = [] if accept else differences(ledger.settings, settings)
    if not found:
        return None
    return Changed(
        "settings that matter have changed since the last run: " + "; ".join(found),
        hint="--accept-changes goes on with the new ones, --restart begins anew and keeps the "
        "old output, or change them back",
    )


def begins_anew(ledger: LedgerState, settings: dict[str, Any]) -> bool:
    """Whether settings that matter have changed and no record is settled: what was read with the
    old ones is read again."""
    unlike = ledger.settings and differences(ledger.settings, settings)
    return bool(unlike) and not ledger.counts.settled


def changed_output(ledger: LedgerState, output: Path) -> str | None:
    """In which way the output is not what was committed to it; None if it is."""
    size = output.stat().st_size if output.exists() else None
    committed = ledger.output_length
    if committed and size is None:
        return f"{output} was deleted"
    if size is not None and size < committed:
        return f"{output} is {committed - size} bytes shorter than what was committed"
    if ledger.output_identity and size is not None and size > committed:
        return f"{output} was edited: it has {size - committed} bytes more than were committed"
    if committed and not _holds(ledger, output):
        return f"{output} was edited"
    return None


def unknown_output(ledger: LedgerState | None, output: Path) -> str | None:
    """Why nothing in the output is of this job's making; None if some is, or if there is nothing.

    What a run that was killed has left behind the committed end is of its making.
    """
    if not output.exists() or not output.stat().st_size:
        return None
    if ledger is None or not (ledger.settings or ledger.output_length):
        return f"{output} has content, but there is no ledger that knows it"
    if ledger.output_identity and not ledger.output_length:
        return f"{output} has content, but none of it was written by this job"
    return None


def _holds(ledger: LedgerState, output: Path) -> bool:
    """Compare the part that the last commit appended; all of it if somebody touched the file since
    the last run ended."""
    touched = ledger.output_identity not in ({}, identity_of(output))
    start = 0 if touched else ledger.last_start
    crc = 0 if touched else ledger.last_crc
    left = ledger.output_length - start
    with open(output, "rb") as file:
        file.seek(start)
        while left and (chunk := file.read(min(left, _PIECE_BYTES))):
            crc = zlib.crc32(chunk, crc)
            left -= len(chunk)
    return crc == ledger.output_crc


def identity_of(output: Path) -> dict[str, Any]:
    facts = output.stat()
    return {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns}


def changed_source(ledger: LedgerState, source: Source) -> str | None:
    """In which way the source is not what it was; None if it is, or has only grown."""
    identity = source.identity()
    if (identity and identity == ledger.source_identity) or source.holds(ledger.marks.extent):
        return None
    return f"{source.name} is not what it was: records that were read before are changed or gone"


def unasked(why: str) -> Changed:
    """The error where nobody has said that the output of another is to be taken over."""
    return Changed(
        why,
        hint="--adopt (adopt=True) takes its results over by key, and goes on behind them;"
        " --restart begins anew and keeps it under another name; or write to another file",
    )


def without_key(why: str) -> Changed:
    """The error where only a key could tell which results are still good."""
    return Changed(
        why,
        hint="set a key (a field that names a record, and that results have, too) to have"
        " progress found again (--key FIELD --accept-changes), or --restart to begin anew; the old"
        " output is kept",
    )
