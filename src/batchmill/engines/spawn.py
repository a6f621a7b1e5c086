"""The start of an interpreter that becomes a worker process."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from ..errors import BatchmillError
from .imports import BOOTSTRAP

PIPE_BYTES = 1 << 20
"""Room in a pipe, where the system grants it: a portion fits, so that neither side waits to send
it."""
_F_SETPIPE_SZ = 1031
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_HINTS = {
    errno.EMFILE: "this process may open no more files: raise `ulimit -n`, or use fewer workers",
    errno.ENFILE: "the system has no more files: close some, or use fewer workers",
    errno.EAGAIN: "there may be no more processes (`ulimit -u`): use fewer workers",
    errno.ENOMEM: "there is no more memory: use fewer workers",
    errno.ENOENT: "sys.executable is to be the path of a Python interpreter",
}


@dataclass(frozen=True, slots=True)
class Pipes:
    """Three pipes to a worker that is to be started. `commands`, `outcomes` and `lifeline` are our
    ends; the worker ends when the last one is closed."""

    commands: IO[bytes]
    outcomes: IO[bytes]
    lifeline: int
    theirs: tuple[int, int, int]

    @property
    def ours(self) -> tuple[int, ...]:
        return self.commands.fileno(), self.outcomes.fileno(), self.lifeline


@contextlib.contextmanager
def open_pipes() -> Iterator[Pipes]:
    """New pipes. The worker's ends are closed here after this block; ours are the caller's."""
    files: list[int] = []
    try:
        for _ in range(3):
            files += os.pipe()
    except OSError:
        _close(files)
        raise
    theirs = (files[0], files[3], files[4])
    _widen(files[1])
    _widen(files[3])
    try:
        yield Pipes(_open(files[1]), _open(files[2]), files[5], theirs)
    finally:
        _close(theirs)


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Says why the system does not let a worker be started, and what to do about it: an OSError in
    this block becomes a BatchmillError."""
    try:
        yield
    except OSError as error:
        raise BatchmillError(f"a worker process cannot be started: {error}",
                             hint=_HINTS.get(error.errno or 0)) from error  # fmt: skip


def start(files: tuple[int, ...], threads: int) -> subprocess.Popen[bytes]:
    """A new interpreter, in a process group of its own, which the terminal's signals do not reach.

    `files` are handed to it; `threads` is how many a numerical library in it should use.
    """
    # -P: what lies in the working folder is not imported, unless the driver does.
    command = [sys.executable, "-P", "-c", BOOTSTRAP, str(os.getpid()), *map(str, files)]
    env = {**dict.fromkeys(_THREADS, str(threads)), **os.environ}
    return subprocess.Popen(  # noqa: S603 - this interpreter, and a text of our own
        command, stdin=subprocess.DEVNULL, stdout=_number(sys.stdout), stderr=_number(sys.stderr),
        pass_fds=files, process_group=0, env=env,
    )  # fmt: skip


def _number(stream: Any) -> int | None:
    """The file that a stream writes to, so that a task prints where the driver does."""
    try:
        number: int = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return number


def _open(pipe: int) -> IO[bytes]:
    return os.fdopen(pipe, "r+b", buffering=0)


def _close(files: Iterable[int]) -> None:
    for file in files:
        os.close(file)


def _widen(pipe: int) -> None:
    with contextlib.suppress(ImportError, OSError):
        from fcntl import fcntl

        fcntl(pipe, _F_SETPIPE_SZ, PIPE_BYTES)
