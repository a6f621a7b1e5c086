"""What do the calls of a task share, and when does it begin and end?"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ..engines.forked import leave_if_forked
from ..errors import ConfigError, MissingDependency, TaskHookFailed
from .shape import hook_takes_context
from .task import Task

SESSION = "session"


class Context(dict[str, Any]):
    """The dict that `on_startup` returned. `context["session"]` is an aiohttp session, made when
    first asked for, unless the task put its own there."""

    def __init__(self, concurrency: int) -> None:
        super().__init__()
        self._concurrency = concurrency
        self._opened: Any = None

    def __missing__(self, name: str) -> Any:
        if name != SESSION:
            raise KeyError(name)
        if self._opened is None:
            self._opened = _open_session(self._concurrency)
        self[SESSION] = self._opened
        return self._opened

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        return name == SESSION and importlib.util.find_spec("aiohttp") is not None

    async def close(self) -> None:
        """Close the session that was opened here; one that the task made is the task's to close."""
        if self._opened is not None:
            await self._opened.close()


def _open_session(concurrency: int) -> Any:
    try:
        from .session import open_session
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise MissingDependency("aiohttp", 'context["session"]', "http") from None
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError('context["session"] is for coroutines, and was asked for in a thread',
                          hint="define the task with async def, or use a blocking HTTP client",
                          ) from None  # fmt: skip
    return open_session(concurrency)


@asynccontextmanager
async def running(task: Task, concurrency: int) -> AsyncIterator[Context]:
    """Run `on_startup`, lend the context, run `on_shutdown`, and close the session, in this order.

    `on_shutdown` runs whatever happened, with what context there is; so does the closing. Hooks
    that are no coroutines run right here and block the loop. `concurrency` is the number of
    connections that the session may hold; 0 is no limit.

    Raises TaskHookFailed when a hook raises, with the error as its cause. The first error is the
    one that is raised; that of `on_shutdown` after it is added to it as a note.
    """
    context = Context(concurrency)
    try:
        await _start_up(task, context)
        yield context
    except BaseException as first:
        try:
            await _shut_down(task, context)
        except TaskHookFailed as second:
            first.add_note(f"then {second.message}")
        raise
    else:
        await _shut_down(task, context)


async def _start_up(task: Task, context: Context) -> None:
    if task.on_startup is None:
        return
    given = await _call(task.on_startup, "on_startup", context)
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise TaskHookFailed(f"on_startup returned {type(given).__name__}, which is no context",
                             hint="return a dict, or nothing")  # fmt: skip
    context.update(given)


async def _shut_down(task: Task, context: Context) -> None:
    try:
        if task.on_shutdown is not None:
            await _call(task.on_shutdown, "on_shutdown", context)
    finally:
        await context.close()


async def _call(hook: Callable[..., Any], name: str, context: Context) -> Any:
    arguments = (context,) if hook_takes_context(hook, name) else ()
    home = os.getpid()
    try:
        given = hook(*arguments)
        given = await given if inspect.isawaitable(given) else given
    except (Exception, SystemExit) as error:
        leave_if_forked(home, error)
        raise TaskHookFailed(f"{name} failed: {type(error).__name__}: {error}",
                             hint="no record was called" if name == "on_startup" else None,
                             ) from error  # fmt: skip
    leave_if_forked(home)
    return given
