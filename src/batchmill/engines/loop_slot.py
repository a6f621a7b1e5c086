"""A slot of the async engine: the task that its calls run in, and how one is given up."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context

from ..calling import here
from ..slots import Desk
from .base import Setting
from .blocking import same
from .slot import Slot

STUBBORN_S = 5.0
"""How long a call that was given up may go on before its slot is replaced by another one."""


class LoopSlot(Slot):
    """A slot whose call can be given up."""

    __slots__ = ("abandoned", "given_up", "given_up_at", "given_up_seq", "task")

    def __init__(self, setting: Setting, desk: Desk) -> None:
        super().__init__(setting.job, setting.codec, desk.attempt)
        self.task: asyncio.Task[bool] | None = None
        self.given_up: str | None = None
        self.given_up_seq = -1
        self.given_up_at = 0.0
        self.abandoned: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def enter(self) -> Context:
        """Begin in the running task; returns its context as every call is to find it."""
        # Not what create_task returns: an eager task runs before that is known.
        self.task = asyncio.current_task()
        here.set(self)
        return copy_context()

    def tainted(self, clean: Context) -> bool:
        """Whether a call has left a context variable or a cancellation behind in its task."""
        assert self.task
        return self.task.cancelling() > 0 or not same(clean)

    def forget_cancelling(self) -> None:
        """The call has not heeded that it was given up, and is over."""
        assert self.task
        self.given_up = None
        while self.task.cancelling():
            self.task.uncancel()

    def give_up(self, why: str, now: float) -> None:
        """Cancel the call. Asked again, once it has not ended within STUBBORN_S, abandon it."""
        if not self.busy or self.task is None:
            return
        if self.given_up is None or self.given_up_seq != self.seq:
            self.given_up, self.given_up_seq, self.given_up_at = why, self.seq, now
            self.task.cancel()
        elif now - self.given_up_at > STUBBORN_S and not self.abandoned.done():
            self.abandoned.set_result(None)
