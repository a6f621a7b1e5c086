"""How does a batch become a task that is never lost, however early it is cancelled?"""

from __future__ import annotations

from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Coroutine, Generator
    from contextvars import Context


@coroutine
def first_step() -> Generator[None, None, None]:
    """Await it first within `try`: a task that is cancelled at once does not get further.

    Without it, such a task would not run a line of its coroutine, not even what is in `finally`.
    """
    yield


def begun(loop: AbstractEventLoop, work: Coroutine[Any, Any, None], context: Context) -> Task[None]:
    """A task that runs what comes after `first_step` in `work`, in a copy of `context`."""
    work.send(None)
    return loop.create_task(work, name="batch", context=context.copy())
