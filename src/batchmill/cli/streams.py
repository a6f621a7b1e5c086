"""The streams that a command writes to, whatever a task makes of the standard ones."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

_kept: dict[str, TextIO | None] = {}
"""The streams of this process as they were when it began, under their names in sys."""


def keep_streams() -> None:
    """From now on write to what standard output and error are now: copies, which nobody else can
    close, detach or replace."""
    _kept.update(stdout=_copy(sys.stdout), stderr=_copy(sys.stderr))


def out() -> TextIO | None:
    """Standard output; None where there is none."""
    return _kept.get("stdout", sys.stdout)


def err() -> TextIO | None:
    """Standard error; None where there is none."""
    return _kept.get("stderr", sys.stderr)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether people see what is written there."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


def pass_on(name: str) -> None:
    """Write what a task has left in its buffer of this stream."""
    with suppress(Exception):
        getattr(sys, name).flush()


def settle_streams() -> None:
    """Write what is buffered, and leave nothing in sys that the end of the interpreter, which
    flushes it, could fail at. What nobody reads is lost."""
    for name in ("stdout", "stderr"):
        kept = _kept.get(name)
        if kept is not None:
            _flushes(kept)
        for place in (name, f"__{name}__"):
            stream = getattr(sys, place)
            if stream is not None and not _flushes(stream):
                setattr(sys, place, kept)


def _copy(stream: TextIO | None) -> TextIO | None:
    """A stream of its own to the same file; the stream itself if it has no file."""
    if stream is None:
        return None
    try:
        number = os.dup(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return stream
    return open(number, "w", encoding=stream.encoding, errors=stream.errors)


def _flushes(stream: TextIO) -> bool:
    """Flush it, and say whether that works. If its reader has gone, it does from now on."""
    try:
        stream.flush()
    except OSError:
        return _sent_nowhere(stream)
    except Exception:
        return False
    return True


def _sent_nowhere(stream: TextIO) -> bool:
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()
    except Exception:
        return False
    return True
