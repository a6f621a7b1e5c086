"""How is a run watched without waiting for it? On a stage: virtual time, every start noted.

    stage = Stage(task, range(10), concurrency=2)
    stage.play()
    assert stage.results == [...]

The records are the items themselves; a task that returns its record makes the results readable.
Times are virtual seconds since the curtain rose.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from batchmill.calling import current
from batchmill.engines.base import Setting
from batchmill.engines.on_loop import LoopEngine
from batchmill.flow.desk import Clock
from batchmill.flow.run import Parts, flow
from batchmill.flow.setup import assemble
from batchmill.flow.stop import Stop
from batchmill.flow.watch import Watch
from batchmill.formats.codec import item_codec
from batchmill.job import Job
from batchmill.records import Commit, DeadLetter, Mark
from batchmill.sinks.memory import MemoryStore
from batchmill.sources.iterable import ItemSource
from batchmill.tasks.loading import load_task
from virtual_loop import START_S, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

HORIZON_S = 24 * 3600.0
"""A run that is not through after so much virtual time counts as hung."""

WALL = "2026-01-01T00:00:00.000+00:00"


class StillRunning(AssertionError):
    """The run has not ended within the horizon."""


class Start(NamedTuple):
    """One call: when, which record, which attempt."""

    at: float
    seq: int
    attempt: int


class LateLoop(VirtualLoop):
    """Its timers fire on a grid of some milliseconds only, as those of a busy machine do."""

    late_s = 0.004

    def call_at(self, when: float, *args: Any, **more: Any) -> asyncio.TimerHandle:
        return super().call_at(math.ceil(when / self.late_s) * self.late_s, *args, **more)


class NotingStore(MemoryStore):
    """Keeps every commit as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Commit] = []

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        self.commits.append(commit)


class AtHand(ItemSource):
    """Items that nobody has to wait for, and so no thread draws: its time would not be virtual."""

    def arriving(self, mark: Mark, ready: Any, together: int) -> Any:
        return self.blocks(mark)


class Stage:
    """One run of an async task over items, on the async engine and on virtual time."""

    def __init__(
        self,
        task: Callable[..., Any],
        items: Iterable[Any],
        *,
        store: Any = None,
        source: Any = None,
        codec: Any = None,
        engine: Callable[..., Any] = LoopEngine,
        jitter: Callable[[], float] = lambda: 0.5,
        commit_every_s: float = 0.5,
        horizon_s: float = HORIZON_S,
        loop: type[VirtualLoop] = VirtualLoop,
        ahead: int | None = None,
        **settings: Any,
    ) -> None:
        self.job = Job(source=(), task=task, **settings)
        self.store = NotingStore() if store is None else store
        self.starts: list[Start] = []
        self.notes: list[Any] = []
        self.stop = Stop()
        self.error: BaseException | None = None
        self.ended_at = -1.0
        self.parts: Parts
        self.loop: VirtualLoop
        self._task = task
        self._source = AtHand(items) if source is None else source
        self._codec = codec or item_codec()
        self._engine = engine
        self._ahead = ahead
        self._jitter = jitter
        self._commit_every_s = commit_every_s
        self._horizon_s = horizon_s
        self._loop_class = loop

    @property
    def results(self) -> list[Any]:
        return self.store.results

    @property
    def letters(self) -> list[DeadLetter]:
        return self.store.letters

    @property
    def failed(self) -> list[int]:
        return [letter.seq for letter in self.letters]

    def now(self) -> float:
        return self.loop.time() - START_S

    def on_event(self, event: Any) -> None:
        self.notes.append(event)

    def starts_of(self, seq: int) -> list[float]:
        return [start.at for start in self.starts if start.seq == seq]

    def play(self, *others: Callable[[Stage], Coroutine[Any, Any, Any]]) -> Stage:
        """Run to the end. `others` are coroutine functions that act beside the run."""
        on_stage(self._loop_class(), self._loop_made, self._play(others))
        return self

    def _loop_made(self, loop: VirtualLoop) -> None:
        self.loop = loop

    async def _play(self, others: Iterable[Callable[[Stage], Coroutine[Any, Any, Any]]]) -> None:
        beside = [asyncio.create_task(other(self)) for other in others]
        run = asyncio.create_task(self.run())
        done, _ = await asyncio.wait([run], timeout=self._horizon_s)
        for task in beside:
            if task.done():
                task.result()
            task.cancel()
        if not done:
            raise StillRunning(f"the run has not ended after {self.now():g} s")
        run.result()

    async def run(self) -> None:
        """The run itself. What it raises is kept in `error`, unless it was cancelled."""
        self.assemble()
        try:
            await flow(self.parts)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.error = error
        finally:
            self.ended_at = self.now()

    def assemble(self) -> Parts:
        loop = asyncio.get_running_loop()
        task = load_task(self._noting(self._task))
        setting = Setting(task=task, codec=self._codec, job="job", slots=self.job.concurrency,
                          timeout_s=self.job.timeout_s, now=loop.time,
                          batch_size=self.job.batch_size or 1)  # fmt: skip
        engine = self._engine(setting)
        self.parts = assemble(
            self.job, source=self._source, start=Mark(), codec=self._codec, engine=engine,
            store=self.store, commit_every_s=self._commit_every_s, stop=self.stop,
            clock=Clock(loop.time, lambda: WALL, self._jitter), watch=Watch([self]),
            ahead=self._ahead,
        )  # fmt: skip
        return self.parts

    def _noting(self, task: Callable[..., Any]) -> Any:
        if not callable(task):
            return task

        async def process_record(record: Any) -> Any:
            here = current()
            self.starts.append(Start(self.now(), here.seq, here.attempt))
            return await task(record)

        return process_record


def on_stage(
    loop: VirtualLoop,
    made: Callable[[VirtualLoop], None],
    main: Coroutine[Any, Any, Any],
    left_s: float = 60.0,
) -> Any:
    """Run `main` on `loop`, which it does not keep alive by what it leaves behind."""
    made(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=left_s))
        for task in left:
            task._log_destroy_pending = False
        loop.close()


def after(
    wait_s: float, act: Callable[[Stage], Any]
) -> Callable[[Stage], Coroutine[Any, Any, Any]]:
    """Something that happens beside the run, so many seconds after it began."""

    async def acting(stage: Stage) -> None:
        await asyncio.sleep(wait_s)
        act(stage)

    return acting
