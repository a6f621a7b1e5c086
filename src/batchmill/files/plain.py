"""Files that are the job's own, opened where others may write beside them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_STRANGE = {errno.ELOOP: "it is a link, which is not followed",
            errno.EMLINK: "it is a link, which is not followed",
            errno.ENXIO: "it is no ordinary file"}  # fmt: skip
"""What these errors say of a name that was to be a file of ours. FreeBSD says EMLINK of a link."""


def open_plain(path: Path, flags: int, mode: int = 0o600) -> int:
    """A descriptor of the file, made with `mode` (less the umask) if `flags` ask for it.

    Never leads through a link, and never waits, as opening a pipe would. Raises OSError, which says
    so, for a link and for whatever is no ordinary file.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        said = _STRANGE.get(error.errno or 0, error.strerror)
        raise OSError(error.errno, said, str(path)) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ENXIO, _STRANGE[errno.ENXIO], str(path))
    return fd


def new_file(path: Path, mode: int = 0o600) -> int:
    """A descriptor to write a file that is made here and now, in place of one that has the name."""
    path.unlink(missing_ok=True)
    return open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
