"""One worker process, seen from the driver: started, spoken to, buried and replaced."""

from __future__ import annotations

import asyncio
import contextlib
import marshal
import os
import signal
import subprocess
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from ..errors import BatchmillError, TaskHookFailed
from .board import Board
from .cells import NOBODY, Cells
from .forked import let_go
from .last_words import EXITED, how_it_ended, refusal
from .orders import Crew
from .spawn import open_pipes, start, starting
from .wire import (
    Close,
    Closing,
    Done,
    Ended,
    Garbled,
    Portion,
    Ready,
    Refused,
    blob,
    dumps,
    frame,
    from_worker,
)

LAST_WORDS_S = 0.2
"""How long a worker may take to end once it has closed its pipe."""
CLOSE_S = 2.0
"""How long a worker may take to end if the call it is making does not end."""
STIR_S = 10.0
"""How long a worker that calls nothing may take to begin to shut down."""
QUIET_S = 1.0
"""How long past the time limit of a call a worker may take for what lies between two calls."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker has ended before it answered."""

    how: str
    """In words: "was killed by SIGSEGV"."""
    calling: dict[int, tuple[int, float]]
    """What each lane was calling: seq, and since when."""
    last: dict[int, int]
    """The last record of its portion that a lane has called, whether that call had ended or not."""


class _Answers(asyncio.Protocol):
    """Takes in what a worker says."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._frames = from_worker()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._frames.feed(data)
        except Garbled:
            self._process.kill("wrote into its pipe what is no answer, and was killed")
            return
        for message in messages:
            self._process.told(message)

    def connection_lost(self, _: Exception | None) -> None:
        self._process.check()


_Commands = asyncio.BaseProtocol


class Process:
    """A worker process. It is used for as long as it lives, and never again."""

    def __init__(self, crew: Crew, board: Board) -> None:
        self._crew = crew
        self._lanes = crew.lanes
        self._board = board
        self._cells: Cells
        self._waiting: dict[int, asyncio.Future[Done | Lost]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._popen: subprocess.Popen[bytes]
        self._ours: tuple[int, ...]
        """Our ends of its pipes. It ends when the last one is closed."""
        self._writer: asyncio.WriteTransport
        self._reader: asyncio.BaseTransport
        self._over = True
        self._to_close = False
        self._quiet: tuple[float, bytes] = (0.0, b"")
        """Since when it shows no sign of life, and the last one."""

    @property
    def alive(self) -> bool:
        return not self._over

    @property
    def was_killed(self) -> bool:
        """Whether a signal has ended it that was not ours."""
        return self._over and not self._to_close and self._popen.returncode < 0

    async def start(self) -> None:
        """Start it, and wait until the task has been started up.

        Raises BatchmillError if it cannot be started, what the worker was refused with, and
        TaskHookFailed if it died.
        """
        await self._spawn()
        self._writer.write(blob(marshal.dumps(tuple(self._crew.imports))))
        self._writer.write(blob(dumps(self._crew.orders)))
        await self._ready

    async def _spawn(self) -> None:
        """Start it when our side of its pipes is ready: what lives can be spoken to, and ended."""
        loop = asyncio.get_running_loop()
        with starting(), ExitStack() as undo:
            self._cells = undo.enter_context(closing(Cells.create(self._lanes)))
            with open_pipes() as pipes:
                self._ours = pipes.ours
                undo.callback(os.close, pipes.lifeline)
                self._writer, _ = await loop.connect_write_pipe(_Commands, pipes.commands)
                undo.callback(self._writer.abort)
                self._reader, _ = await loop.connect_read_pipe(self._answers, pipes.outcomes)
                undo.callback(self._reader.close)
                files = (*pipes.theirs, self._cells.fd, self._board.fd)
                self._popen = start(files, self._crew.threads)
            undo.pop_all()
        self._over = False

    def _answers(self) -> _Answers:
        return _Answers(self)

    def forget(self) -> None:
        """In a process that was forked from the driver: let it live and die without that one."""
        if not self._over:
            let_go(*self._ours)

    def call(self, portion: Portion) -> asyncio.Future[Done | Lost]:
        """Have the worker call a portion. The future is never left without an answer."""
        answer: asyncio.Future[Done | Lost] = asyncio.get_running_loop().create_future()
        self._waiting[portion.lane] = answer
        self._cells.clear(portion.lane)
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
                self._refuse(refusal(message))
            case Closing() if not self._closing.done():
                self._closing.set_result(None)
            case Ended() if not self._ended.done():
                self._ended.set_result(None)

    def _answer(self, lane: int, answer: Done | Lost) -> None:
        waiting = self._waiting.pop(lane, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _refuse(self, error: BatchmillError) -> None:
        """Let it be raised where somebody waits for the worker to start or to end."""
        if not self._closing.done():
            self._closing.set_result(None)
        for waiting in (self._ready, self._ended if self._to_close else None):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
                return

    def calling(self, lane: int) -> tuple[int, float] | None:
        """Seq and start of what a lane calls now."""
        return None if self._over else self._cells.calling(lane)

    def silent(self, now: float, limit_s: float) -> bool:
        """Whether it has gone on with nothing for longer than `limit_s` between two calls, while
        it is waited for."""
        signs = b"" if self._over or not self._waiting else self._cells.signs()
        busy = any(self.calling(lane) for lane in self._waiting)
        if busy or not signs or signs != self._quiet[1]:
            self._quiet = now, signs
        return now - self._quiet[0] > limit_s + QUIET_S

    def kill(self, why: str | None = None) -> None:
        """End it, and all that it has started in its process group. `why` is what is said of it."""
        if self._over:
            return
        self._kill_group()
        # A task may have moved it into another group.
        self._popen.kill()
        self._popen.wait()
        self._bury(why or how_it_ended(self._popen.returncode))

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def give_up_start(self) -> None:
        """End it if the task has not been started up."""
        if not self._ready.done():
            self._to_close = True
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
            self._bury(how_it_ended(self._popen.returncode))

    def lost(self, how: str) -> Lost:
        """What its lanes have called by now, where they have not been answered for."""
        return Lost(how, {}, {}) if self._over else self._noted(how)

    def _noted(self, how: str) -> Lost:
        lanes = range(self._lanes)
        calling = {lane: call for lane in lanes if (call := self._cells.calling(lane))}
        last = {lane: seq for lane in lanes if (seq := self._cells.last(lane)) != NOBODY}
        return Lost(how, calling, last)

    def _bury(self, how: str) -> None:
        self._over = True
        self._kill_group()
        lost = self._noted(how)
        for lane in list(self._waiting):
            self._answer(lane, lost)
        if self._to_close and how == EXITED and not self._ended.done():
            self._ended.set_result(None)
        self._refuse(self._hook_failed(how))
        if not self._writer.is_closing():
            self._writer.abort()
        self._reader.close()
        self._cells.close()
        os.close(self._ours[-1])

    def _hook_failed(self, how: str) -> TaskHookFailed:
        hook = "on_shutdown" if self._ready.done() else "on_startup, or the task's module,"
        by_kill = self._popen.returncode == -signal.SIGKILL
        hint = "fewer workers need less memory" if by_kill else f"{hook} ends the process"
        return TaskHookFailed(f"a worker process {how} in its {hook.split(',')[0]}", hint=hint)

    async def close(self) -> None:
        """Have the task shut down, and end the process. Raises what on_shutdown is refused with.

        A worker that is still calling something gets CLOSE_S, one that does not stir STIR_S.
        """
        if self._over:
            return
        self._to_close = True
        try:
            if self._ready.done() and not self._ready.cancelled():
                self._writer.write(frame(Close()))
                busy = any(self._cells.calling(lane) for lane in range(self._lanes))
                # Not `wait_for`: before Python 3.12 it swallows a cancelling that comes just when
                # the future is done.
                async with asyncio.timeout(CLOSE_S if busy else STIR_S):
                    await self._closing
                await self._ended
        except TimeoutError:
            pass
        finally:
            self._ended.cancel()
            self.kill()
