"""How does a thread without an event loop call a batcher and not wait for ever?"""

from __future__ import annotations

import asyncio
import concurrent.futures
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from .batcher_errors import WrongLoop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable

LOOK_EVERY_S = 0.5
"""How often a waiting thread looks whether the event loop is still there."""


def ask(loop: AbstractEventLoop | None, submit: Callable[[], Future[Any]]) -> Any:
    """Call `submit` in `loop` and wait for the result of the future that it returns.

    Raises WrongLoop if there is no loop to answer, or this is its thread, which would wait for
    itself.
    """
    if loop is None or loop.is_closed():
        raise WrongLoop("the batcher serves no event loop", hint="`async with batcher:` in one")
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the one that does not raise
        raise WrongLoop("process_sync would block an event loop", hint="await process() there")
    call = _Call(submit)
    loop.call_soon_threadsafe(call.begin, context=copy_context())
    try:
        return _wait(call.answer, loop)
    except BaseException:
        if not loop.is_closed():
            loop.call_soon_threadsafe(call.give_up)
        raise


def _wait(answer: concurrent.futures.Future[Any], loop: AbstractEventLoop) -> Any:
    while not loop.is_closed():
        done, _ = concurrent.futures.wait([answer], timeout=LOOK_EVERY_S)
        if done:
            return answer.result()
    raise WrongLoop("the event loop was closed before the item was answered")


class _Call:
    """An item on its way through the loop's thread."""

    def __init__(self, submit: Callable[[], Future[Any]]) -> None:
        self.answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._submit = submit
        self._caller: Future[Any] | None = None

    def begin(self) -> None:
        try:
            self._caller = self._submit()
        except Exception as error:
            self.answer.set_exception(error)
        else:
            self._caller.add_done_callback(self._end)

    def _end(self, caller: Future[Any]) -> None:
        if caller.cancelled():
            self.answer.set_exception(asyncio.CancelledError())
        elif (error := caller.exception()) is not None:
            self.answer.set_exception(error)
        else:
            self.answer.set_result(caller.result())

    def give_up(self) -> None:
        """The thread has gone, by an interrupt for example."""
        if self._caller is not None:
            self._caller.cancel()
