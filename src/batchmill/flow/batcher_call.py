"""Where does process_batch run? In the loop, in a thread, or in another process."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from .batcher_answers import bearable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    Call = Callable[[list[Any]], Awaitable[Any]]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling `function` gives something to await."""
    call = getattr(function, "__call__", None)  # noqa: B004 - its kind is asked, not whether it is
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def is_elsewhere(executor: Executor | None) -> bool:
    """Whether what `executor` runs is pickled and sent to it."""
    return executor is not None and not isinstance(executor, ThreadPoolExecutor)


def call_of(function: Callable[[list[Any]], Any], executor: Executor | None) -> Call:
    """An async function that runs `function` where it belongs.

    Plain functions run in `executor`, or in the loop's own threads. What runs in a thread sees the
    context of its batch; what runs in another process is sent there by pickle.
    """
    if is_async(function):
        return function
    if executor is not None and is_elsewhere(executor):
        return _in_process(function, executor)
    return _in_thread(function, executor)


def _in_thread(function: Callable[[list[Any]], Any], executor: Executor | None) -> Call:
    async def call(batch: list[Any]) -> Any:
        loop = asyncio.get_running_loop()
        context = copy_context()
        results = await loop.run_in_executor(executor, context.run, contained, function, batch)
        return await results if inspect.isawaitable(results) else results

    return call


def _in_process(function: Callable[[list[Any]], Any], executor: Executor) -> Call:
    async def call(batch: list[Any]) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, contained, function, batch)

    return call


def contained(function: Callable[[list[Any]], Any], batch: list[Any]) -> Any:
    """Call `function`; what a future cannot carry, or the loop would die of, becomes BatchFailed.

    Stands at the top of its module, so that it can be sent to another process.
    """
    try:
        return function(batch)
    except BaseException as error:
        if bearable(error) is error:
            raise
        raise bearable(error) from error
