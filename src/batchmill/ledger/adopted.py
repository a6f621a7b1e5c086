"""Whether an output can be gone on with that this job has not written, or that has changed."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ..errors import Changed, SourceError
from ..files.streams import Compression, compression_of
from ..formats.rows import RowFormat
from .output import rows_in

FIRST_ROWS = 10
"""So many rows tell whether a file is of the sink's format."""

_HINT = "--restart begins anew and keeps it under another name; or write to another file"


def refuse_strange(output: Path, rows: RowFormat, key: str) -> None:
    """Raises Changed unless the file begins as an output of this job would. Touches nothing.

    Its first row must be one, and more than half of the first few: the last line of a program that
    was killed may be torn.
    """
    try:
        first = [*islice(rows_in(output, rows), FIRST_ROWS)]
    except SourceError as error:
        raise Changed(error.message, hint=_HINT) from error
    bad = [n for n, row in enumerate(first, 1) if not row.is_head and row.result is None]
    if bad and (bad[0] == 1 or len(bad) * 2 > len(first)):
        raise Changed(f"{output} cannot be taken over: line {bad[0]} is no row of {rows.kind}",
                      hint=_HINT)  # fmt: skip
    if rows.fields is not None and key not in rows.fields:
        raise Changed(f"{output} cannot be taken over: it has no column {key!r}", hint=_HINT)


def refuse_other_compression(output: Path, named: Compression | None) -> None:
    """Raises Changed unless what is appended would be compressed as what stands there is."""
    if not output.exists() or not output.stat().st_size:
        return
    found = compression_of(output)
    if found != named:
        raise Changed(f"{output} is {found or 'not compressed'}, and what is appended would be"
                      f" {named or 'not compressed'}",
                      hint="name it as it is compressed, or begin anew with --restart, which keeps"
                      " the old output")  # fmt: skip
