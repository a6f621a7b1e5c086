"""A process that a task forks has nothing of ours: it is the task's own."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that are to end a process."""
_LOOPS = ("asyncio", "uvloop")
"""Packages whose signal handlers wake an event loop, which does not run in a child."""

_mask = threading.local()
"""The signals that were blocked before a fork in this thread."""
_forgetting: dict[object, Callable[[], None]] = {}
"""What is to be forgotten in a child; one entry for each block of `not_inherited`."""


@contextmanager
def not_inherited(forget: Callable[[], None]) -> Iterator[None]:
    """A process that is forked in this block calls `forget` before anything else, and signals end
    it that would wake an event loop here. What it forks in its turn has nothing left to forget."""
    _watch_forks()
    block = object()
    _forgetting[block] = forget
    try:
        yield
    finally:
        _forgetting.pop(block, None)


@functools.cache
def _watch_forks() -> None:
    os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_come,
                        after_in_child=_forget_all)  # fmt: skip


def _hold_signals() -> None:
    """Let signals wait that would come to a child while it still has handlers of ours, and be
    lost: whoever ends a pool of processes just after its start would wait for ever."""
    if _forgetting:
        _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def _let_signals_come() -> None:
    before = _mask.__dict__.pop("before", None)
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forget_all() -> None:
    if _forgetting:
        signal.set_wakeup_fd(-1)
        for forget in _forgetting.values():
            forget()
        _forgetting.clear()
        for number in _ENDING:
            if _is_of_a_loop(signal.getsignal(number)):
                end_by(number)
    _let_signals_come()


def _is_of_a_loop(handler: Any) -> bool:
    function = getattr(handler, "func", handler)
    return str(getattr(function, "__module__", "")).partition(".")[0] in _LOOPS


def end_by(number: int) -> None:
    """Let a signal do again what it does where nobody has asked for something else."""
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    signal.signal(number, usual)


def let_go(*files: int) -> None:
    """Make these numbers lead nowhere. Unlike closing them, this does no harm to whoever closes
    them later."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for file in files:
        os.dup2(nowhere, file, inheritable=False)
    os.close(nowhere)


def leave_if_forked(home: int, error: BaseException | None = None) -> None:
    """End a process that a task has forked and let return or raise, which would go on with the run
    as a second one. `home` is the process that the run is at home in."""
    if os.getpid() != home:
        _leave(error)


def _leave(error: BaseException | None) -> NoReturn:
    """End as the interpreter would after `sys.exit`, but without what others want done at exit."""
    if isinstance(error, SystemExit):
        _flush()
        os._exit(_code_of(error))
    _say("a process that the task has forked returned from it and was ended\n"
         "hint: end it with os._exit()\n")  # fmt: skip
    os._exit(1)


def _code_of(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return (ending.code or 0) & 0xFF
    _say(f"{ending.code}\n")
    return 1


def _flush() -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()


def _say(text: str) -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
