"""What does a worker process do? Calls what the driver sends, and never outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from functools import partial
from typing import NoReturn

import msgspec

from ..core.pacing import Pacer
from ..errors import BatchmillError
from .base import Setting
from .board import Board
from .cells import Cells
from .forked import end_by, leave_if_forked, let_go, not_inherited
from .in_turn import InTurn, LaneSlot
from .lane import Lane
from .on_loop import LoopEngine
from .orders import Orders
from .wire import Close, Closing, Ended, Garbled, Ready, Refused, frame, read_blob, to_worker

READ_BYTES = 1 << 20
EXPIRE_EVERY_S = 0.05
_PR_SET_PDEATHSIG = 1
_F_SETSIG = 10
HIGH = 1000
"""Where the numbers of our own files begin, where the system has so many: out of the way of a task
that goes through all files that it finds."""
FILES = 5
_MEMORY = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
"""What is limited: memory that can be written to, where the system knows the difference; a mapped
file or a library is none."""


def main() -> NoReturn:
    """The worker's life. Its arguments are the driver's process and the numbers of five files."""
    driver = int(sys.argv[1])
    commands, outcomes, lifeline, cells, board = map(_out_of_the_way, map(int, sys.argv[2:7]))
    _end_with(driver, lifeline)
    for number in (signal.SIGINT, signal.SIGTERM):
        # The driver hears them, too, and decides. Unlike SIG_IGN this is not handed on to the
        # task's own child processes.
        signal.signal(number, _leave_it_to_the_driver)
    with open(os.dup(commands), "rb") as stream:
        body = read_blob(stream)
    worker = _Worker(commands, outcomes, cells, board)
    with not_inherited(partial(_forget, commands, outcomes, lifeline)):
        worker.live(body)
    _flush()
    os._exit(0)


def _forget(*pipes: int) -> None:
    """In a process that the task has forked."""
    let_go(*pipes)
    for number in (signal.SIGINT, signal.SIGTERM):
        end_by(number)


def _out_of_the_way(file: int) -> int:
    """The same file under a high number, which is not inherited."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        high = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, min(HIGH, most - FILES))
    except (OSError, ValueError, OverflowError):
        os.set_inheritable(file, False)
        return file
    os.close(file)
    return high


def _end_with(driver: int, lifeline: int) -> None:
    """Die when the driver does, with all that the task has started in this process group: by the
    kernel's hand where it offers it, which works even while a call holds the interpreter; and
    everywhere when the other end of a pipe closes."""
    try:
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
    except (OSError, AttributeError):
        # Not besides: it comes when the thread ends that has started this process, which may be
        # before the pipe closes; and with this process the end of its group would be gone.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:
        os._exit(1)
    threading.Thread(target=_watch, args=(lifeline,), name="batchmill-life", daemon=True).start()


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _flush() -> None:
    """Write what was printed; there may be no place for it, or a task's own one."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()


def _end(why: str) -> NoReturn:
    """End here and now: what fails outside of a call would only fail again."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"a worker process ends itself: {why}\n")
        sys.stderr.flush()
    os._exit(1)


def _leave_it_to_the_driver(*_: object) -> None:
    pass


def _orders(body: bytes) -> Orders:
    orders: Orders = pickle.loads(body)  # noqa: S301 - from the driver's own pipe
    if orders.memory_limit:
        resource.setrlimit(_MEMORY, (orders.memory_limit, orders.memory_limit))
    return orders


class _Worker:
    """The lanes of this process, and its two ends of the driver's pipes."""

    def __init__(self, commands: int, outcomes: int, cells: int, board: int) -> None:
        self._commands = commands
        self._outcomes = outcomes
        self._cells_fd = cells
        self._board_fd = board
        self._lanes: list[Lane] = []
        self._frames = to_worker()
        self._home = os.getpid()
        self._engine: LoopEngine | InTurn

    def live(self, body: bytes) -> None:
        """Work to the end, and tell the driver if it was no good one."""
        try:
            asyncio.run(self._run(body))
        except BatchmillError as error:
            self.send(Refused(type(error).__name__, error.message, error.hint))
        except Exception as error:
            traceback.print_exc()
            self.send(Refused("TaskHookFailed", f"a worker failed: {type(error).__name__}: {error}",
                              "the traceback stands above"))  # fmt: skip

    def send(self, message: msgspec.Struct) -> None:
        """Blocks until the driver has room for it, which it always makes soon."""
        leave_if_forked(self._home)
        with memoryview(frame(message)) as data:
            sent = 0
            while sent < len(data):
                sent += os.write(self._outcomes, data[sent:])

    async def _run(self, body: bytes) -> None:
        orders = _orders(body)
        setting = orders.prepare()
        is_async = setting.task.is_async
        self._engine = LoopEngine(setting, LaneSlot) if is_async else InTurn(setting)
        cells = Cells(self._cells_fd, setting.slots)
        board = Board(self._board_fd, Pacer(orders.rate, orders.burst))
        self._lanes = [Lane(number, cells, board, setting, self.send, orders)
                       for number in range(setting.slots)]  # fmt: skip
        loop = asyncio.get_running_loop()
        os.set_blocking(self._commands, False)
        async with self._engine.open():
            self.send(Ready())
            loop.add_reader(self._commands, self._read)
            expiring = asyncio.create_task(self._expire(setting, cells))
            async with asyncio.TaskGroup() as slots:
                for lane in self._lanes:
                    slots.create_task(self._engine.serve(lane, lane))
            expiring.cancel()
            loop.remove_reader(self._commands)
            self.send(Closing())
        # The driver waits no longer once it has heard this.
        _flush()
        self.send(Ended())

    def _read(self) -> None:
        leave_if_forked(self._home)
        try:
            data = os.read(self._commands, READ_BYTES)
            messages = self._frames.feed(data)
        except BlockingIOError:
            return
        except (Garbled, MemoryError, OSError) as error:
            _end(f"{type(error).__name__} {error}")
        if not data:
            os._exit(1)
        for message in messages:
            if isinstance(message, Close):
                self._close()
            else:
                self._lanes[message.lane].put(message)

    def _close(self) -> None:
        if any(lane.busy for lane in self._lanes):
            self._engine.cancel()
        for lane in self._lanes:
            lane.close()

    async def _expire(self, setting: Setting, cells: Cells) -> None:
        while setting.timeout_s is not None:
            await asyncio.sleep(EXPIRE_EVERY_S)
            cells.beat()
            self._engine.expire(setting.now())
