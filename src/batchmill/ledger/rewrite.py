"""Rows are taken out of the output so that a crash at any moment leaves it whole."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ..errors import LedgerError
from ..files.durable import sync_folder, writing
from ..files.plain import new_file
from ..formats.rows import Row, RowFormat
from ..sinks.appended import Compress, compressor_like
from .ledger import SqliteLedger
from .output import PIECE_BYTES, key_text, rows_in

Keep = Callable[[Row], bool]


def finish_rewrite(ledger: SqliteLedger, output: Path) -> None:
    """Bring a rewrite to its end that the ledger knows of.

    A rewrite goes in four steps: the new file is made and synced beside the output; the ledger says
    that it is to take the output's place, in one step with what follows from that; it does; the
    ledger says that it has. A crash leaves it to this function to go on after any of them.
    """
    copy = copy_of(output)
    if ledger.rewriting is None:
        with writing(copy):
            copy.unlink(missing_ok=True)
        return
    new, length = copy if copy.exists() else output, ledger.rewriting["length"]
    if not new.exists() or _measured(new) != (length, ledger.rewriting["crc"]):
        raise LedgerError(f"{output} was being rewritten and is not there as it should be",
                          hint="restore it, or start again with --restart")  # fmt: skip
    ledger.end_rewrite(lambda: _put_in_place(output))


def _measured(path: Path) -> tuple[int, int]:
    """Length and CRC-32 of a file."""
    length = crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(PIECE_BYTES):
            length, crc = length + len(chunk), zlib.crc32(chunk, crc)
    return length, crc


def _put_in_place(output: Path) -> None:
    with writing(output):
        if copy_of(output).exists():
            os.replace(copy_of(output), output)
        sync_folder(output.absolute().parent)


def copy_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.rewrite")


def write_copy(output: Path, rows: RowFormat, keep: Keep) -> dict[str, int]:
    """Write what is to be kept of the output into a file beside it; returns its length, its crc and
    its plain length. `keep` is asked of a header, too."""
    with writing(copy_of(output)):
        with open(new_file(copy_of(output)), "wb") as file:
            os.fchmod(file.fileno(), output.stat().st_mode & 0o7777)
            written = _copy(output, rows, file, keep, compressor_like(output))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(output.absolute().parent)
    return written


def _copy(
    output: Path, rows: RowFormat, file: IO[bytes], keep: Keep, compress: Compress | None
) -> dict[str, int]:
    length = crc = plain = held = 0
    kept: list[bytes] = []

    def flush() -> None:
        nonlocal length, crc, held
        data = b"".join(kept)
        data = compress(data) if compress and data else data
        file.write(data)
        length, crc, held = length + len(data), zlib.crc32(data, crc), 0
        kept.clear()

    for row in rows_in(output, rows):
        if keep(row):
            kept.append(row.raw + b"\n")
            plain += len(row.raw) + 1
            held += len(row.raw) + 1
        if held >= PIECE_BYTES:
            flush()
    flush()
    return {"length": length, "crc": crc, "plain": plain}


def remove_superseded(ledger: SqliteLedger, output: Path, rows: RowFormat, key: str | None) -> int:
    """Take out the results that reruns have replaced; returns how many rows that were."""
    superseded = ledger.superseded()
    if not superseded or key is None:
        return 0
    removed = 0
    awaited = _Moved(ledger.waiting_before())

    def keep(row: Row) -> bool:
        nonlocal removed
        gone = row.offset < superseded.get(key_text(row, key, rows) or "", 0)
        removed += gone
        if not gone:
            awaited.kept(row)
        return not gone

    rewriting = write_copy(output, rows, keep)
    ledger.rewrite(rewriting, awaited.now().items())
    finish_rewrite(ledger, output)
    return removed


class _Moved:
    """Offsets in the output, and where they are once rows have been taken out of it."""

    def __init__(self, before: dict[str, int]) -> None:
        self._left = sorted(before.items(), key=lambda item: item[1], reverse=True)
        self._end = 0
        self._now: dict[str, int] = {}

    def kept(self, row: Row) -> None:
        """Take in that this row is kept; rows come in their order."""
        while self._left and self._left[-1][1] <= row.offset:
            self._now[self._left.pop()[0]] = self._end
        self._end += len(row.raw) + 1

    def now(self) -> dict[str, int]:
        """Where they are, after the last row."""
        return self._now | dict.fromkeys((key for key, _ in self._left), self._end)
