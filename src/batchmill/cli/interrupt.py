"""Ctrl-C ends a command that is not running a job, in one line."""

from __future__ import annotations

import atexit
import os
import signal
from contextlib import suppress
from typing import NoReturn


def end_when_interrupted() -> None:
    """From now on SIGINT ends the process, wherever it stands, with one line and the code 130.

    An exception would have to pass through whatever is imported, closed or written just then. A
    run has a handler of its own while it lasts. Nothing is done where SIGINT is ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
        # Called last: nothing of Python can hear a signal any more, and all has been said.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def _end(*_: object) -> NoReturn:
    with suppress(OSError):
        os.write(2, b"error: interrupted\n")
    os._exit(128 + signal.SIGINT)
