"""Signals reach a run, and never the middle of anything else."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

from .engines.forked import end_by, not_inherited

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to end."""
POLITE_SIGNALS = 2
"""Signals that ask a run to stop; one more ends its loop."""

_CALLERS = frozenset(
    {"batchmill.engines.on_loop", "batchmill.engines.base", "batchmill.tasks.context"}
)
"""Modules whose frames have the task's own code right above them."""
_UNTOUCHABLE = frozenset({"batchmill", "logging", "selectors"})
"""Packages that hold locks, or what a run goes on with, where an exception would leave them."""


class Ears:
    """Hears signals for one event loop, and never raises where something else would break.

    The first POLITE_SIGNALS are handed to `handle` by the loop. One more ends the loop with
    KeyboardInterrupt: between two callbacks, where no lock is held; or on the spot, if that is code
    of the task which holds up the loop. What comes after the loop's end is only noted.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, handle: Callable[[int], None]) -> None:
        self.count = 0
        self.late: int | None = None
        """The first signal, if it came after the loop's end."""
        self._loop = loop
        self._handle = handle

    def hear(self, number: int, frame: FrameType | None) -> None:
        # The next signal may interrupt this at any call.
        count = self.count = self.count + 1
        if count > POLITE_SIGNALS and _held_up_at(frame):
            raise KeyboardInterrupt
        if self._loop.is_closed():
            self.late = number if count == 1 else self.late
        elif count <= POLITE_SIGNALS:
            self._loop.call_soon_threadsafe(self._handle, number)
        elif count == POLITE_SIGNALS + 1:
            self._loop.call_soon_threadsafe(_interrupt)


@contextmanager
def heard_by(loop: asyncio.AbstractEventLoop, handle: Callable[[int], None]) -> Iterator[None]:
    """Let a loop that is run in this block hear the signals that ask the process to end.

    Only the main thread may do that; elsewhere nothing is done. At the end the handlers are what
    they were, and get a signal that came too late for the loop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ears = Ears(loop, handle)
    before = {number: signal.getsignal(number) for number in ENDING}
    taken = [number for number in ENDING if before[number] is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, ears.hear)
    try:
        with not_inherited(partial(_end_by, taken)):
            yield
    finally:
        for number in taken:
            signal.signal(number, before[number] or signal.SIG_DFL)
        if ears.late is not None:
            signal.raise_signal(ears.late)


def _end_by(numbers: Iterable[int]) -> None:
    for number in numbers:
        end_by(number)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _below_ears(frame: FrameType | None) -> FrameType | None:
    """The frame that the first of the signals that are being heard has interrupted."""
    found = frame
    while frame is not None:
        if frame.f_code is Ears.hear.__code__:
            found = frame.f_back
        frame = frame.f_back
    return found


def _held_up_at(frame: FrameType | None) -> bool:
    """Whether the innermost frame is code of the task, or what that has called. What is interrupted
    while it hears another signal stands where that one came."""
    frame = innermost = _below_ears(frame)
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        package = name.partition(".")[0]
        if name in _CALLERS or package == "asyncio":
            return frame is not innermost
        if package in _UNTOUCHABLE:
            return False
        frame = frame.f_back
    return False
