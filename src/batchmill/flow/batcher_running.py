"""Which batch is this code a part of?"""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Future, Task
    from collections.abc import Iterable, Sequence
    from weakref import WeakKeyDictionary

    from ..core.batching import Batch, Reason

    Caller = Future[Any]


class RunningBatch:
    """A batch that has been handed to process_batch; `current_batch()` gives it there."""

    __slots__ = ("_batch", "callers", "contexts", "live", "nested", "owner", "parents", "task")

    def __init__(self, owner: object, batch: Batch, callers: list[Any], *, nested: bool) -> None:
        self._batch = batch
        self.owner = owner
        self.callers = callers
        self.nested = nested
        self.live = True
        self.task: Task[None] | None = None
        self.parents: Sequence[RunningBatch] = ()
        self.contexts: Sequence[tuple[Context, ...]] = ()
        """For each item, the contexts of its callers as they called. Needs `keep_contexts`."""

    def end(self) -> None:
        """It no longer counts, and holds nobody."""
        self.live = False
        self.callers = self._batch.callers = []
        self.parents = self.contexts = ()

    @property
    def size(self) -> int:
        """How many items went out together."""
        return len(self._batch.items)

    @property
    def group(self) -> Any:
        """What `group_by` said of its items."""
        return self._batch.group

    @property
    def reason(self) -> Reason:
        """Why it was released: size, cost, time, idle or flush."""
        return self._batch.reason

    @property
    def waited_s(self) -> float:
        """How long its oldest item had waited."""
        return self._batch.waited_s

    def know_callers(
        self,
        contexts: WeakKeyDictionary[Caller, Context],
        callers: Iterable[Iterable[Caller]],
    ) -> None:
        """Take over the callers' contexts, and learn from them which batches wait for this one."""
        self.contexts = [
            tuple(contexts.pop(caller, Context()) for caller in sharing) for sharing in callers
        ]
        inside = {context.get(INSIDE) for sharing in self.contexts for context in sharing}
        self.parents = [parent for parent in inside if parent is not None]

    def cancel_when_abandoned(self) -> None:
        """Cancel the batch when its last caller has gone."""
        remaining = len(self.callers)

        def one_less(_: Caller) -> None:
            nonlocal remaining
            remaining -= 1
            if not remaining and self.live and self.task is not None:
                self.task.cancel()

        for caller in self.callers:
            caller.add_done_callback(one_less)

    def is_within(self, owner: object) -> bool:
        """Whether a batch of `owner` waits until this one, or this one's part in it, is done."""
        if not self.live:
            return False
        return self.owner is owner or any(parent.is_within(owner) for parent in self.parents)

    def __repr__(self) -> str:
        state = "running" if self.live else "ended"
        return f"<RunningBatch {state} size={self.size} reason={self.reason}>"


INSIDE: ContextVar[RunningBatch | None] = ContextVar("batchmill_batch", default=None)


def current_batch() -> RunningBatch | None:
    """The batch this code runs for, or None. Not known in another process."""
    return INSIDE.get()


def new_context() -> Context:
    """The context in which batches run: the one of whoever makes the batcher."""
    context = copy_context()
    context.run(INSIDE.set, None)
    return context
