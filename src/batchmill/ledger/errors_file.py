"""The dead letters as a file for people: one JSON object a line."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from ..files.atomic import atomic_write, unfinished
from ..files.durable import write_at, writing
from ..files.plain import open_plain
from ..records import DeadLetter

_BEGINNING = b'{"seq":'
"""What stands before every dead letter."""


class ErrorsFile:
    """A copy of the ledger's dead letters. It is never read back: the ledger is the truth."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def tidy(self) -> None:
        """Take away what runs that were killed while they replaced the file have left."""
        with writing(self.path):
            for left in unfinished(self.path):
                left.unlink(missing_ok=True)

    def is_strange(self) -> bool:
        """Whether the file holds something else than dead letters, as its beginning shows."""
        if not self.path.is_file():
            return False
        with writing(self.path), open(self.path, "rb") as file:
            return not _BEGINNING.startswith(file.read(len(_BEGINNING)))

    def rewrite(self, letters: Iterable[DeadLetter]) -> None:
        """Replace the file, in one step, by these dead letters."""
        with writing(self.path), atomic_write(self.path) as file:
            for letter in letters:
                file.write(line_of(letter))

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Append dead letters that the ledger already holds."""
        lines = b"".join(map(line_of, letters))
        if not lines:
            return
        with writing(self.path):
            fd = open_plain(self.path, os.O_WRONLY | os.O_CREAT)
            try:
                write_at(fd, lines, os.fstat(fd).st_size)
            finally:
                os.close(fd)


def line_of(letter: DeadLetter) -> bytes:
    return orjson.dumps(plain(letter), option=orjson.OPT_APPEND_NEWLINE)


def plain(letter: DeadLetter) -> dict[str, Any]:
    """The dead letter as the errors file shows it."""
    failure = letter.failure
    return {
        "seq": letter.seq,
        "key": orjson.Fragment(json.dumps(letter.key)),
        **_input_of(letter),
        "error": {
            "type": failure.type,
            "message": sound(failure.message),
            "traceback": sound(failure.traceback),
        },
        "attempts": letter.attempts,
        "first_at": letter.first_at,
        "last_at": letter.last_at,
    }


def _input_of(letter: DeadLetter) -> dict[str, Any]:
    """The record as JSON if it is JSON; else its text; else its bytes in base64."""
    if letter.complete:
        try:
            orjson.loads(letter.raw)
            return {"record": orjson.Fragment(letter.raw.strip())}
        except orjson.JSONDecodeError:
            pass
    try:
        return {"raw": letter.raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(letter.raw).decode()}


def sound(text: str) -> str:
    """Text that UTF-8 can carry: lone surrogates are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()
