"""A file that is there whole, or not at all."""

from __future__ import annotations

import os
import re
import secrets
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .durable import sync_folder
from .plain import open_plain

NAME_CHARS = 48
"""So much of the file's name is in that of the temporary one, which may not become too long."""

ANY_FILE = 0o666
"""What a new file is made with; the system takes the umask off."""


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Write `path` as a binary file that others see only once it is complete and durable.

    The bytes go to a temporary file in the same folder; at the end of the block it is synced and
    renamed over `path`, and the folder is synced. If the block raises, nothing is to be seen: the
    temporary file is gone and an older `path` is as it was. The new file keeps an older one's
    permissions; where `path` is a link, the link is replaced and not what it points to. Raises
    OSError where the disk does.
    """
    target = Path(path).absolute()
    name = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.tmp")
    fd = open_plain(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ANY_FILE)
    try:
        with os.fdopen(fd, "wb") as file:
            mode = _mode_of(fd, target)
            os.fchmod(fd, 0o600)
            yield file
            file.flush()
            os.fchmod(fd, mode)
            os.fsync(fd)
        os.replace(name, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    sync_folder(target.parent)


def _mode_of(new: int, target: Path) -> int:
    """The permissions of the old file; where there is none, those that the system gave the new."""
    try:
        return stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        return stat.S_IMODE(os.fstat(new).st_mode)


def unfinished(path: Path) -> Iterator[Path]:
    """The temporary files of `path` that writers who were killed have left, or who still write."""
    ours = re.compile(re.escape(_prefix(path)) + r"[a-z0-9_]{8,16}\.tmp")
    for each in os.scandir(path.absolute().parent):
        if ours.fullmatch(each.name):
            yield path.with_name(each.name)


def _prefix(target: Path) -> str:
    """How the names of its temporary files begin, and those of no other file. Hidden from globs."""
    name = target.name
    if len(name) > NAME_CHARS:
        name = f"{name[: NAME_CHARS - 9]}-{zlib.crc32(os.fsencode(name)):08x}"
    return f".{name}."
