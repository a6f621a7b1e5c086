"""One worker process, seen from the driver: started, spoken to, buried and replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .. import errors
from ..errors import BatchmillError, ConfigError, MissingDependency, TaskHookFailed
from .cells import Cells
from .orders import Orders
from .wire import Close, Done, Ended, Portion, Ready, Refused, blob, dumps, frame, from_worker

PIPE_BYTES = 1 << 20
"""Room in a pipe, where the system grants it: a portion fits, so that neither side waits to send
it."""
LAST_WORDS_S = 0.2
"""How long a worker may take to end once it has closed its pipe."""
CLOSE_S = 2.0
"""How long a worker may take to end if the call it is making does not end."""
_F_SETPIPE_SZ = 1031
_START = ("import sys; sys.path.insert(0, sys.argv.pop(1));"
          " from batchmill.engines.worker import main; main()")  # fmt: skip
_PACKAGE = str(Path(errors.__file__).parent.parent)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker has ended before it answered."""

    how: str
    """In words: "was killed by SIGSEGV"."""
    calling: dict[int, tuple[int, float]]
    """What each lane was calling: seq, and since when."""


class _Answers(asyncio.Protocol):
    """Takes in what a worker says."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._frames = from_worker()

    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            self._process.told(message)

    def connection_lost(self, _: Exception | None) -> None:
        self._process.check()


class Process:
    """A worker process. It is used for as long as it lives, and never again."""

    def __init__(self, orders: Orders, lanes: int, threads: int) -> None:
        """`threads` is how many a numerical library in it should use."""
        self._orders = orders
        self._lanes = lanes
        self._threads = threads
        self._cells = Cells.create(lanes)
        self._waiting: dict[int, asyncio.Future[Done | Lost]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.WriteTransport
        self._reader: asyncio.BaseTransport
        self._lifeline = -1
        self._popen: subprocess.Popen[bytes]
        self._over = False
        self._closing = False

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return not self._over

    @property
    def was_killed(self) -> bool:
        """Whether somebody else has killed it."""
        return not self._closing and self._popen.returncode == -signal.SIGKILL

    async def start(self) -> None:
        """Start it, and wait until the task has been started up.

        Raises what the worker was refused with, TaskHookFailed if it died.
        """
        await self._spawn()
        parcel = pickle.dumps((list(sys.path), dumps(self._orders)))
        self._writer.write(blob(parcel))
        await self._ready

    async def _spawn(self) -> None:
        commands, outcomes, life = os.pipe(), os.pipe(), os.pipe()
        theirs = (commands[0], outcomes[1], life[0])
        try:
            _widen(commands[1])
            _widen(outcomes[1])
            self._popen = _start((*theirs, self._cells.fd), self._threads)
        finally:
            for end in theirs:
                os.close(end)
        self._lifeline = life[1]
        loop = asyncio.get_running_loop()
        self._writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, _open(commands[1]))
        self._reader, _ = await loop.connect_read_pipe(lambda: _Answers(self), _open(outcomes[0]))

    def call(self, portion: Portion) -> asyncio.Future[Done | Lost]:
        """Have the worker call a portion. The future is never left without an answer."""
        answer: asyncio.Future[Done | Lost] = asyncio.get_running_loop().create_future()
        self._waiting[portion.lane] = answer
        self._writer.write(frame(portion))
        return answer

    def told(self, message: Any) -> None:
        """Take in what the worker says."""
        match message:
            case Done():
                self._answer(message.lane, message)
            case Ready() if not self._ready.done():
                self._ready.set_result(None)
            case Refused():
                self._refuse(_refusal(message))
            case Ended() if not self._ended.done():
                self._ended.set_result(None)

    def _answer(self, lane: int, answer: Done | Lost) -> None:
        waiting = self._waiting.pop(lane, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _refuse(self, error: BatchmillError) -> None:
        """Let it be raised where somebody waits for the worker to start or to end."""
        for waiting in (self._ready, self._ended if self._closing else None):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
                return

    def calling(self, lane: int) -> tuple[int, float] | None:
        """Seq and start of what a lane calls now."""
        return None if self._over else self._cells.calling(lane)

    def halt(self) -> None:
        """Let it begin with no other call."""
        if not self._over:
            self._cells.halt()

    def kill(self) -> None:
        """End it, and all that it has started in its process group."""
        self._kill_group()
        self._popen.wait()
        self.look()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def give_up_start(self) -> None:
        """End it if the task has not been started up."""
        if not self._ready.done():
            self._closing = True
            self.kill()

    def check(self) -> None:
        """Bury the process, whose pipe has closed; end it if it has not ended by itself."""
        if self._over:
            return
        try:
            self._popen.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self.look()

    def look(self) -> None:
        """Bury the process if it has ended, without waiting."""
        if not self._over and self._popen.poll() is not None:
            self._bury(_how(self._popen.returncode))

    def _bury(self, how: str) -> None:
        self._over = True
        self._kill_group()
        calling = {lane: call for lane in range(self._lanes)
                   if (call := self._cells.calling(lane))}  # fmt: skip
        for lane in list(self._waiting):
            self._answer(lane, Lost(how, calling))
        if self._closing and how == _EXITED and not self._ended.done():
            self._ended.set_result(None)
        self._refuse(self._hook_failed(how))
        if not self._writer.is_closing():
            self._writer.abort()
        self._reader.close()
        self._cells.close()
        os.close(self._lifeline)

    def _hook_failed(self, how: str) -> TaskHookFailed:
        hook = "on_shutdown" if self._ready.done() else "on_startup, or the task's module,"
        hint = "fewer workers need less memory" if self.was_killed else f"{hook} ends the process"
        return TaskHookFailed(f"a worker process {how} in its {hook.split(',')[0]}", hint=hint)

    async def close(self) -> None:
        """Have the task shut down, and end the process. Raises what on_shutdown is refused with.

        A worker that is still calling something gets CLOSE_S.
        """
        if self._over:
            return
        self._closing = True
        try:
            if self._ready.done() and not self._ready.cancelled():
                self._writer.write(frame(Close()))
                busy = any(self._cells.calling(lane) for lane in range(self._lanes))
                await asyncio.wait_for(self._ended, CLOSE_S if busy else None)
        except TimeoutError:
            pass
        finally:
            self.kill()


def _start(files: tuple[int, ...], threads: int) -> subprocess.Popen[bytes]:
    """A new interpreter, in a process group of its own, which the terminal's signals do not
    reach."""
    command = [sys.executable, "-c", _START, _PACKAGE, str(os.getpid()), *map(str, files)]
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


def _widen(pipe: int) -> None:
    with contextlib.suppress(ImportError, OSError):
        from fcntl import fcntl

        fcntl(pipe, _F_SETPIPE_SZ, PIPE_BYTES)


_EXITED = "ended itself with exit code 0"


def _how(code: int) -> str:
    if code >= 0:
        return f"ended itself with exit code {code}"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"was killed by {name}, by the system for want of memory or from outside"
    return f"was killed by {name}"


def _refusal(told: Refused) -> BatchmillError:
    """The error of the worker, of the same kind where it is one of ours."""
    kind: Any = getattr(errors, told.kind, ConfigError)
    if kind is MissingDependency or not issubclass(kind, BatchmillError):
        kind = ConfigError
    error: BatchmillError = kind(told.message, hint=told.hint)
    return error
