"""How do waiting items become running batches, and those answers? Core decides, this acts."""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Future, Handle
from collections import deque
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..core.batch_stats import BatcherStats, BatchTally
from ..core.batching import UNLIMITED
from .batcher_alarm import Alarm
from .batcher_answers import fail
from .batcher_call import call_of, is_async
from .batcher_deadlines import Deadlines
from .batcher_lull import Lull
from .batcher_running import INSIDE, RunningBatch
from .batcher_split import Answering
from .batcher_state import State
from .batcher_task import begun, first_step

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from ..core.batching import Batch, Labels, Queue, Reason
    from .batcher_settings import Settings

SWEEP_EVERY_S = 0.01
"""How often, at most, a full queue is looked through for callers who have gone."""

Caller = Future[Any]


class Pump:
    """Starts batches in free slots and answers their callers. Belongs to one event loop at a time.

    Decisions are made at three moments: at the end of a tick in which something was submitted, when
    a batch ends (or after a lull), and when the oldest item is due. There is one timer, and a task
    for each batch.
    """

    def __init__(self, settings: Settings, context: Context) -> None:
        self.settings = settings
        self.state = State.OPEN
        self.loop: AbstractEventLoop | None = None
        self.thread = -1
        self.tally = BatchTally()
        self.line = settings.queue(Future.done)
        self.nested = settings.queue(Future.done)
        self.door: deque[tuple[Any, Caller, Labels]] = deque()
        self.running: set[RunningBatch] = set()
        self.quiet: list[Future[None]] = []
        self.contexts: WeakKeyDictionary[Caller, Context] = WeakKeyDictionary()
        self.knows_contexts = False
        self.deadlines: Deadlines
        self.context = context
        self._slots = settings.slots
        self._bound = settings.queue_bound
        self._enough = settings.limits.max_batch_size
        self._is_bounded = settings.queue_bound < UNLIMITED
        self._share = settings.dedupe is not None
        self._busy = 0
        self._sweep_at = -inf
        self._tick: Handle | None = None
        self._alarm: Alarm
        self._lull: Lull
        self._answering: Answering
        self._cancels = False

    def attach(self, loop: AbstractEventLoop, thread: int, function: Callable[..., Any]) -> None:
        """Serve `loop` from now on. What waited or ran in another loop has ended with it."""
        self.detach()
        settings = self.settings
        self.loop = loop
        self.thread = thread
        self.deadlines = Deadlines(loop)
        self._alarm = Alarm(loop, self.dispatch, self.context)
        self._lull = Lull(loop, self._may_fill, partial(self.dispatch, freed=True), self.context)
        self._answering = Answering(
            call_of(function, settings.executor),
            self.tally,
            split=settings.split,
            share=self._share,
        )
        self._cancels = settings.cancel_abandoned and is_async(function)

    def detach(self) -> None:
        """Forget the event loop, and everything that belonged to it."""
        if self.loop is None:
            return
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._alarm.cancel()
        self._lull.cancel()
        self.deadlines.close()
        self.line.shut()
        self.line.clear()
        self.nested.clear()
        self.door.clear()
        self.running.clear()
        self._busy = 0
        self._sweep_at = -inf
        self.loop = None
        self.thread = -1

    def is_idle(self) -> bool:
        return not (self.running or len(self.line) or len(self.nested) or self.door)

    def is_full(self) -> bool:
        """Whether the queue is full of items that are wanted."""
        if not self._is_bounded or (len(self.line) < self._bound and not self.door):
            return False
        self._sweep()
        return len(self.line) >= self._bound

    def _sweep(self) -> None:
        """Make room by dropping the items whose callers have gone; costs too much to do always."""
        assert self.loop is not None
        now = self.loop.time()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_EVERY_S
            self.line.sweep()
            self._admit()

    def add(self, queue: Queue, item: Any, caller: Caller, labels: Labels) -> None:
        assert self.loop is not None
        if self._tick is None:
            self._open_tick(self.loop.time())
        if queue is self.nested:
            queue.open(self.loop.time())
        queue.add(item, caller, labels)

    def _open_tick(self, now: float) -> None:
        assert self.loop is not None
        self._tick = self.loop.call_soon(self._end_tick, context=self.context)
        self.line.open(now)

    def _end_tick(self) -> None:
        self._tick = None
        self.line.shut()
        if len(self.nested) or (self._busy < self._slots and not self._lull.is_on):
            self.dispatch()

    def dispatch(self, now: float = -inf, *, freed: bool = False) -> None:
        """Start every batch that is to start now. `freed`: all slots were busy until just now."""
        if self.loop is None or self.loop.is_closed():
            return
        if now == -inf:
            now = self.loop.time()
        if len(self.nested):
            self._start_nested(now)
        while self._busy < self._slots:
            batch = self.line.take(now, self._hurry(now, freed=freed))
            if batch is None:
                break
            freed = False
            self._busy += 1
            self._start(batch, now, nested=False)
        if self.door:
            self._admit()
        if self._busy < self._slots and (due := self._look_again_at()) is not None:
            self._alarm.set(due)
        if self.quiet:
            self.tell_if_quiet()

    def _look_again_at(self) -> float | None:
        """When something waits that is to go though nothing else happens."""
        return self.line.due_at()

    def _start_nested(self, now: float) -> None:
        """What a running batch waits for goes at once: its slot is lent to it."""
        while batch := self.nested.take(now, "idle"):
            self._start(batch, now, nested=True)

    def _hurry(self, now: float, *, freed: bool) -> Reason | None:  # noqa: ARG002 - see PatientPump
        if self.state is not State.OPEN:
            return "flush"
        if self.settings.dispatch == "idle" or (freed and self.settings.dispatch == "freed"):
            return "idle"
        return "size" if len(self.line) >= self._bound else None

    def _admit(self) -> None:
        """Let in those who wait at the door, as far as there is room."""
        while self.door and len(self.line) < self._bound:
            item, caller, labels = self.door.popleft()
            try:
                if not caller.done():
                    self.add(self.line, item, caller, labels)
            except Exception as error:  # of comparing its group or key
                fail([caller], error)

    def _start(self, batch: Batch, now: float, *, nested: bool) -> None:
        assert self.loop is not None
        callers = self._answering.callers(batch.callers) if self._share else batch.callers
        running = RunningBatch(self, batch, callers, nested=nested)
        self.running.add(running)
        self.tally.out(len(batch.items), batch.reason, batch.waited_s)
        if self.knows_contexts:
            sharing = batch.callers if self._share else zip(batch.callers)
            running.know_callers(self.contexts, sharing)
        work = self._run(running, batch, now)
        running.task = begun(self.loop, work, self.context)
        if self._cancels:
            running.cancel_when_abandoned()

    async def _run(self, running: RunningBatch, batch: Batch, began_at: float) -> None:
        answering = self._answering
        try:
            await first_step()
            INSIDE.set(running)
            try:
                answering.settle(batch.callers, await answering.call(batch.items))
            except Exception as error:
                await answering.isolate(error, batch.items, batch.callers)
        except BaseException as error:
            self.tally.failed += fail(running.callers, error)
            if isinstance(error, (CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)):
                raise
        finally:
            self._ended(running, began_at)

    def _ended(self, running: RunningBatch, began_at: float) -> None:
        """Free the slot; it counts once, however the batch ends."""
        if self.loop is None or running not in self.running:
            return
        now = self.loop.time()
        self.tally.back(now - began_at)
        running.end()
        self.running.remove(running)
        freed = not running.nested and self._busy == self._slots
        self._busy -= not running.nested
        if freed and self._may_fill():
            self._lull.begin(now, now - began_at)
        else:
            self.dispatch(now)
            if freed and self._busy == self._slots:
                self._expect_calls(now)

    def _may_fill(self) -> bool:
        """Whether what waits is not enough for a batch, and may become so: see batcher_lull."""
        if not 0 < len(self.line) < self._enough or self.state is not State.OPEN:
            return False
        return self.loop is not None and not self.loop.is_closed()

    def _expect_calls(self, now: float) -> None:
        """Let the tick last until those who have just been answered have had their turn.

        They come in without opening it then. Nothing was to be decided: all slots are busy.
        """
        if self._tick is not None:
            self._tick.cancel()
        self._open_tick(now)

    def tell_if_quiet(self) -> None:
        """Let those go on who wait in `stop`, if there is nothing left to do."""
        if self.is_idle():
            for waiter in self.quiet:
                if not waiter.done():
                    waiter.set_result(None)
            self.quiet.clear()

    def abort(self, error: Exception) -> None:
        """Fail every caller and cancel every batch."""
        self.line.shut()
        waiting = [caller for _, caller, _ in self.door]
        for queue in (self.line, self.nested):
            waiting += queue.clear()
        self.door.clear()
        for running in self.running:
            waiting += running.callers
        fail(waiting, error)
        for running in self.running:
            if running.task is not None:
                running.task.cancel()
        self.tell_if_quiet()

    def forget_running(self) -> None:
        """Go on without batches that do not end though they were cancelled."""
        for running in self.running:
            running.end()
        self.running.clear()
        self._busy = 0
        self.tell_if_quiet()

    def read(self) -> BatcherStats:
        left = self.line.left + self.nested.left
        waiting = len(self.line) + len(self.nested) + len(self.door)
        return self.tally.read(waiting=waiting, running=len(self.running), left=left)

    def __repr__(self) -> str:
        """Without the brackets: who owns the pump names it."""
        now = self.read()
        return (
            f"{self.state} waiting={now.waiting} running={now.running}/{self._slots} "
            f"items={now.items} batches={now.batches}"
        )
