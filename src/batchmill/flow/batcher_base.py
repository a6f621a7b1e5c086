"""How is a batcher written and called? Subclass AsyncBatcher and await `process`."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from asyncio import Future
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from .batcher_entrance import Entrance
from .batcher_errors import BatcherStopped
from .batcher_patient import pump_of
from .batcher_running import INSIDE, new_context
from .batcher_settings import BatcherOptions, Settings
from .batcher_state import State
from .batcher_stop import stop
from .batcher_sync import ask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor
    from types import TracebackType
    from typing import Self, Unpack

    from ..core.batch_stats import BatcherStats

T = TypeVar("T")
S = TypeVar("S")

_inside = INSIDE.get


class AsyncBatcher(ABC, Generic[T, S]):
    """Takes single items of type T, runs them in batches, gives each caller its own S.

    Subclass it and write `process_batch`. What can be set, and the defaults, is said by
    `batcher_settings.Settings`; every option is a keyword argument here. Raises ConfigError for
    an option out of range.

    Every caller gets an answer: a result, an exception of process_batch, or an error that says why
    there is none. The batcher serves one event loop at a time, the one of its first caller, and
    another one when that is over.
    """

    logger = logging.getLogger("batchmill.batcher")

    def __init__(self, **options: Unpack[BatcherOptions[T]]) -> None:
        self._pump = pump_of(Settings(**options), new_context())
        self._entrance = Entrance(self._pump, self._function)

    @abstractmethod
    def process_batch(
        self, batch: list[T]
    ) -> Awaitable[Sequence[S | BaseException] | None] | Sequence[S | BaseException] | None:
        """Return one result for each item, in the order of the items; None for None for all.

        May be `async def`, or `def` and then runs in the executor. An exception in place of a
        result is raised in the caller of that item. If the call raises, it is made again with
        halves of the batch (see `split`). Up to `concurrency` calls run at a time.
        """

    def _function(self) -> Callable[[list[T]], Any]:
        """What is called with a batch."""
        return self.process_batch

    async def process(self, item: T, priority: float = 0, timeout: float | None = None) -> S:
        """The result for `item`.

        `priority` needs priorities=True; higher goes first. `timeout` is in seconds.
        Raises what process_batch raised or gave in place of a result; TimeoutError;
        QueueFullException; BatcherStopped; ItemTooCostly; WrongResults; WrongLoop; BatchFailed;
        TypeError or ValueError for a priority that is no number or NaN; and what the functions
        `cost`, `group_by` and `dedupe` raise, and hashing and comparing what they return.
        """
        pump = self._pump
        line = pump.line
        items = line.items
        if (  # the same short way as in `submit`, without the call
            len(items) < line.easy
            and get_ident() == pump.thread
            and _inside() is None
            and timeout is None
            and priority == 0
        ):
            caller: Future[S] = Future(loop=pump.loop)
            items.append(item)
            line.callers.append(caller)
            return await caller
        result: S = await self._entrance.submit(item, priority, timeout, may_wait=True)
        return result

    def submit(self, item: T, priority: float = 0, timeout: float | None = None) -> Future[S]:
        """Like `process`, but a future and no coroutine: half the cost or less. Cancel it to leave.

        What refuses the item (QueueFullException, BatcherStopped, ItemTooCostly, WrongLoop) is
        raised here and now; a full queue always refuses.
        """
        pump = self._pump
        line = pump.line
        items = line.items
        if (
            len(items) < line.easy
            and get_ident() == pump.thread
            and _inside() is None
            and timeout is None
            and priority == 0
        ):
            caller: Future[S] = Future(loop=pump.loop)
            items.append(item)
            line.callers.append(caller)
            return caller
        return self._entrance.submit(item, priority, timeout, may_wait=False)

    def process_sync(self, item: T, priority: float = 0, timeout: float | None = None) -> S:
        """Like `process`, from a thread without an event loop, while the batcher's loop runs.

        Raises WrongLoop in a thread that runs a loop, and when there is no loop to answer.
        """
        result: S = ask(
            self._pump.loop,
            lambda: self._entrance.submit(item, priority, timeout, may_wait=True),
        )
        return result

    async def start(self) -> None:
        """Serve this event loop; a stopped batcher is open again. Calling it first is optional.

        Raises BatcherStopped while the batcher is being stopped.
        """
        self._entrance.bind()
        if self._pump.state is State.DRAINING:
            raise BatcherStopped("the batcher is being stopped; wait for that before starting it")
        self._pump.state = State.OPEN

    async def stop(self, force: bool = False, timeout: float | None = None) -> None:
        """Take no more calls, send out at once what waits, return when every caller is answered.

        With `force`, or when `timeout` seconds have passed, every remaining caller gets
        BatcherStopped at once and running batches are cancelled; threads and processes cannot be
        and end on their own. May be called again, also while it runs.
        Raises RuntimeError inside process_batch, and WrongLoop in another event loop.
        """
        await stop(self._pump, self._entrance, force=force, timeout_s=timeout)

    async def is_running(self) -> bool:
        """Whether calls are taken in and there is an event loop to answer them."""
        loop = self._pump.loop
        return self._pump.state is State.OPEN and loop is not None and not loop.is_closed()

    def stats(self) -> BatcherStats:
        """What happened since the batcher was made, and what is going on now."""
        return self._pump.read()

    @property
    def max_batch_size(self) -> int:
        return self._pump.settings.max_batch_size

    @property
    def max_queue_time(self) -> float | Literal["auto"]:
        return self._pump.settings.max_queue_time

    @property
    def max_queue_size(self) -> int:
        return self._pump.settings.max_queue_size

    @property
    def concurrency(self) -> int:
        return self._pump.settings.concurrency

    @property
    def executor(self) -> Executor | None:
        return self._pump.settings.executor

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process gets to run process_batch: the subclass's own attributes."""
        return {k: v for k, v in self.__dict__.items() if k not in {"_pump", "_entrance"}}

    def __repr__(self) -> str:
        name = getattr(self, "__name__", type(self).__name__)
        with suppress(AttributeError):
            return f"<{name} {self._pump!r}>"
        return f"<{name} copy in a worker process>"
