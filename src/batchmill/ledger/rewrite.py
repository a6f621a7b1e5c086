"""How are lines taken out of the output, so that a crash at any moment leaves it whole?"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from ..errors import LedgerError
from ..files.durable import sync_folder, writing
from ..files.streams import reading
from ..sinks.appended import Compress, compressor_for
from .ledger import SqliteLedger

PIECE_BYTES = 4 << 20

Keep = Callable[[bytes, int], bool]


def lines_of(path: Path) -> Iterator[tuple[bytes, int]]:
    """The lines of an output, without their ends, and the plain offset of each."""
    rest, offset = b"", 0
    with reading(path) as stream:
        while chunk := stream.read(PIECE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line, offset
                offset += len(line) + 1
    if rest:
        yield rest, offset


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


def write_copy(output: Path, keep: Keep) -> dict[str, int]:
    """Write what is to be kept of the output into a file beside it; returns its length, its crc and
    its plain length."""
    with writing(copy_of(output)):
        with open(copy_of(output), "wb") as file:
            os.fchmod(file.fileno(), output.stat().st_mode & 0o7777)
            written = _copy(output, file, keep, compressor_for(output))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(output.absolute().parent)
    return written


def _copy(output: Path, file: IO[bytes], keep: Keep, compress: Compress | None) -> dict[str, int]:
    length = crc = plain = held = 0
    kept: list[bytes] = []

    def flush() -> None:
        nonlocal length, crc, held
        data = b"".join(kept)
        data = compress(data) if compress and data else data
        file.write(data)
        length, crc, held = length + len(data), zlib.crc32(data, crc), 0
        kept.clear()

    for line, offset in lines_of(output):
        if keep(line, offset):
            kept.append(line + b"\n")
            plain += len(line) + 1
            held += len(line) + 1
        if held >= PIECE_BYTES:
            flush()
    flush()
    return {"length": length, "crc": crc, "plain": plain}


def remove_superseded(ledger: SqliteLedger, output: Path, key: str | None) -> int:
    """Take out the results that reruns have replaced; returns how many lines that were."""
    superseded = ledger.superseded()
    if not superseded or key is None:
        return 0
    removed = 0
    awaited = _Moved(ledger.awaited_before())

    def keep(line: bytes, offset: int) -> bool:
        nonlocal removed
        gone = offset < superseded.get(key_text(line, key) or "", 0)
        removed += gone
        if not gone:
            awaited.kept(len(line) + 1, offset)
        return not gone

    rewriting = write_copy(output, keep)
    ledger.rewrite(rewriting, awaited.now().items())
    finish_rewrite(ledger, output)
    return removed


class _Moved:
    """Offsets in the output, and where they are once lines have been taken out of it."""

    def __init__(self, before: dict[str, int]) -> None:
        self._left = sorted(before.items(), key=lambda item: item[1], reverse=True)
        self._kept = 0
        self._now: dict[str, int] = {}

    def kept(self, size: int, offset: int) -> None:
        """Take in that the line at `offset` is kept; lines come in their order."""
        while self._left and self._left[-1][1] <= offset:
            self._now[self._left.pop()[0]] = self._kept
        self._kept += size

    def now(self) -> dict[str, int]:
        """Where they are, after the last line."""
        return self._now | dict.fromkeys((key for key, _ in self._left), self._kept)


def key_text(line: bytes, key: str) -> str | None:
    """The key of a result, spelled as JSON; None if it has none."""
    result = parsed(line)
    return json.dumps(result[key]) if result is not None and key in result else None


def parsed(line: bytes) -> dict[str, Any] | None:
    """The result on this line, or None if there is none."""
    try:
        result = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return result if isinstance(result, dict) else None
