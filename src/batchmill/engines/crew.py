"""Who works? Places that are held by processes, and the lanes of each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..errors import TaskHookFailed
from .board import Board
from .gate import Gate
from .orders import Crew
from .process import Lost, Process
from .wire import Done

STARTS = 5
"""How many processes may be killed while they start, before it is no longer taken for chance."""


class Worker:
    """A place in the crew. The process that holds it is replaced when it dies."""

    def __init__(self, crew: Crew, board: Board) -> None:
        self.gate = Gate()
        self.late: set[int] = set()
        """Lanes whose call has passed the time limit, and for which the process was killed."""
        self._crew = crew
        self._board = board
        self._starting = asyncio.Lock()
        self.process: Process | None = None

    async def ready(self) -> Process:
        """The process, started if there is none or the last one has died."""
        async with self._starting:
            if self.process is None or not self.process.alive:
                self.late.clear()
                self.process = await self._start(STARTS)
            return self.process

    async def _start(self, times: int) -> Process:
        """Start a process, and another one if somebody kills it meanwhile."""
        self.process = Process(self._crew, self._board)
        try:
            await self.process.start()
        except TaskHookFailed:
            if not self.process.was_killed or times == 1:
                raise
            return await self._start(times - 1)
        return self.process

    def give_up_start(self) -> None:
        """End a process that is being started; whoever waits for it gets a TaskHookFailed."""
        if self.process is not None:
            self.process.give_up_start()

    async def close(self) -> None:
        if self.process is not None:
            await self.process.close()


@dataclass(slots=True)
class Lane:
    """A slot: one of the portions that a worker holds at a time."""

    worker: Worker
    number: int
    size: int = 1
    """How many records the next portion should have."""
    handed_at: float = 0.0
    """When its portion was handed over."""
    answer: asyncio.Future[Done | Lost] | None = None
