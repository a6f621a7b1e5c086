"""A file that is there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .durable import sync_folder

NAME_CHARS = 48
"""So much of the file's name is in that of the temporary one, which may not become too long."""


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
    prefix = f".{target.name[:NAME_CHARS]}."
    fd, name = tempfile.mkstemp(dir=target.parent, prefix=prefix, suffix=".tmp")
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            _take_mode(file.fileno(), target)
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    sync_folder(target.parent)


def _take_mode(fd: int, target: Path) -> None:
    try:
        os.fchmod(fd, os.stat(target).st_mode & 0o7777)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(fd, 0o666 & ~umask)
