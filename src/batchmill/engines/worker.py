"""What does a worker process do? Calls what the driver sends, and never outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from typing import Any, NoReturn

import msgspec

from ..errors import BatchmillError
from .base import Setting
from .cells import Cells
from .in_turn import InTurn, LaneSlot
from .lane import Lane
from .on_loop import LoopEngine
from .orders import Orders
from .wire import Close, Ended, Ready, Refused, frame, read_blob, to_worker

READ_BYTES = 1 << 20
EXPIRE_EVERY_S = 0.05
_PR_SET_PDEATHSIG = 1
_MEMORY = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
"""What is limited: memory that can be written to, where the system knows the difference; a mapped
file or a library is none."""


def main() -> NoReturn:
    """The worker's life. Its arguments are the driver's process and the numbers of four files."""
    driver, commands, outcomes, lifeline, cells = map(int, sys.argv[1:6])
    _end_with(driver, lifeline)
    for number in (signal.SIGINT, signal.SIGTERM):
        # The driver hears them, too, and decides. Unlike SIG_IGN this is not handed on to the
        # task's own child processes.
        signal.signal(number, _leave_it_to_the_driver)
    with open(os.dup(commands), "rb") as stream:
        body = read_blob(stream)
    worker = _Worker(commands, outcomes, cells)
    try:
        asyncio.run(worker.run(body))
    except BatchmillError as error:
        worker.send(Refused(type(error).__name__, error.message, error.hint))
    except Exception as error:
        traceback.print_exc()
        worker.send(Refused("TaskHookFailed", f"a worker failed: {type(error).__name__}: {error}",
                            "the traceback stands above"))  # fmt: skip
    _flush()
    os._exit(0)


def _end_with(driver: int, lifeline: int) -> None:
    """Die when the driver does: by the kernel's hand where it offers it, which works even while a
    call holds the interpreter; and everywhere when the other end of a pipe closes."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:
        os._exit(1)
    threading.Thread(target=_watch, args=(lifeline,), name="batchmill-life", daemon=True).start()


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


def _flush() -> None:
    """Write what was printed; there may be no place for it."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()


def _say(text: str) -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _end_with_error(loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
    """What fails outside of a call, for want of memory perhaps, would only fail again."""
    error = what.get("exception")
    if not isinstance(error, MemoryError | OSError):
        loop.default_exception_handler(what)
        return
    sys.stderr.write(f"a worker process ends itself: {type(error).__name__} {error}\n")
    sys.stderr.flush()
    os._exit(1)


def _leave_it_to_the_driver(*_: object) -> None:
    pass


def _orders(body: bytes) -> Orders:
    # The import path comes first: what is pickled next to it may be found only there.
    path, rest = pickle.loads(body)  # noqa: S301 - from the driver's own pipe
    sys.path[:] = path
    orders: Orders = pickle.loads(rest)  # noqa: S301
    if orders.memory_limit:
        resource.setrlimit(_MEMORY, (orders.memory_limit, orders.memory_limit))
    return orders


class _Worker:
    """The lanes of this process, and its two ends of the driver's pipes."""

    def __init__(self, commands: int, outcomes: int, cells: int) -> None:
        self._commands = commands
        self._outcomes = outcomes
        self._cells_fd = cells
        self._lanes: list[Lane] = []
        self._frames = to_worker()
        self._pid = os.getpid()
        self._engine: LoopEngine | InTurn

    def send(self, message: msgspec.Struct) -> None:
        """Blocks until the driver has room for it, which it always makes soon."""
        self._end_if_forked()
        with memoryview(frame(message)) as data:
            sent = 0
            while sent < len(data):
                sent += os.write(self._outcomes, data[sent:])

    async def run(self, body: bytes) -> None:
        orders = _orders(body)
        setting = orders.prepare()
        is_async = setting.task.is_async
        self._engine = LoopEngine(setting, LaneSlot) if is_async else InTurn(setting)
        cells = Cells(self._cells_fd, setting.slots)
        self._lanes = [
            Lane(number, cells, setting, self.send, orders) for number in range(setting.slots)
        ]
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_end_with_error)
        os.set_blocking(self._commands, False)
        async with self._engine.open():
            self.send(Ready())
            loop.add_reader(self._commands, self._read)
            expiring = asyncio.create_task(self._expire(setting))
            async with asyncio.TaskGroup() as slots:
                for lane in self._lanes:
                    slots.create_task(self._engine.serve(lane, lane))
            expiring.cancel()
            loop.remove_reader(self._commands)
        # The driver waits no longer once it has heard this.
        _flush()
        self.send(Ended())

    def _end_if_forked(self) -> None:
        """The driver hears one process only: not a child that a task has forked and let return."""
        if os.getpid() != self._pid:
            _say("a process that the task has forked returned from it and was ended\n"
                 "hint: end it with os._exit()\n")  # fmt: skip
            os._exit(1)

    def _read(self) -> None:
        self._end_if_forked()
        try:
            data = os.read(self._commands, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            os._exit(1)
        for message in self._frames.feed(data):
            if isinstance(message, Close):
                self._close()
            else:
                self._lanes[message.lane].put(message)

    def _close(self) -> None:
        if any(lane.busy for lane in self._lanes):
            self._engine.cancel()
        for lane in self._lanes:
            lane.put(None)

    async def _expire(self, setting: Setting) -> None:
        while setting.timeout_s is not None:
            await asyncio.sleep(EXPIRE_EVERY_S)
            self._engine.expire(setting.now())
