"""What results does an output hold, whatever its format?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..files.streams import reading
from ..formats.csv_rows import CsvRows
from ..formats.csv_shape import CsvShape
from ..formats.json_rows import JsonRows
from ..formats.rows import Row, RowFormat

PIECE_BYTES = 4 << 20

_CSV = ("csv", "tsv")


def format_of(settings: Mapping[str, Any]) -> RowFormat:
    """The format that the settings of a job, as its ledger remembers them, are of."""
    if settings.get("sink.format") in _CSV:
        return CsvRows(CsvShape.remembered(settings))
    return JsonRows(text_keys=settings.get("source.format") in _CSV)


def rows_in(path: Path, rows: RowFormat, plain: int | None = None) -> Iterator[Row]:
    """The rows of an output, header included, of its first `plain` bytes or of all.

    Reads no further than that: behind the committed end there may be half a row or half a frame.
    Raises SourceError if there is less.
    """
    return rows.rows(pieces_of(path, plain))


def results_in(path: Path, rows: RowFormat, plain: int | None = None) -> Iterator[Row]:
    """The same without the header."""
    return (row for row in rows_in(path, rows, plain) if not row.is_head)


def pieces_of(path: Path, plain: int | None = None) -> Iterator[bytes]:
    """The bytes of an output before compression, piece by piece. Raises SourceError."""
    if plain == 0:
        return
    left = plain
    with _blaming_the_output(), reading(path) as stream:
        while left is None or left:
            piece = stream.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
            if not piece:
                break
            left = None if left is None else left - len(piece)
            yield piece
        if left:
            raise SourceError(f"{path} ends {left:,} bytes too early")


@contextmanager
def _blaming_the_output() -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise SourceError(error.message,
                          hint="put it back as it was, or begin anew with --restart, which keeps"
                          " the old output") from error  # fmt: skip


def key_text(row: Row, key: str, rows: RowFormat) -> str | None:
    """The key of a result, as it is compared, spelled as JSON; None if it has none."""
    result = row.result
    return json.dumps(rows.key(result[key])) if result is not None and key in result else None
