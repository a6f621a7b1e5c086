"""How is one run of a job set going, and brought to its report?"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from .config.checks import check_paths
from .errors import BatchmillError, ConfigError
from .events import RunEnded, RunStarted
from .flow.closing import report_of
from .flow.desk import Clock
from .flow.run import Parts, flow
from .flow.setup import assemble
from .flow.stop import Stop
from .flow.watch import Watch
from .job import Job
from .ledger.ledger import SqliteLedger, now_text
from .ledger.opened import Asked, OpenJob, open_job
from .protocols import Observer, Store
from .records import Counts, Mark
from .report import Report
from .sinks.memory import MemoryStore
from .slots import Engine
from .tasks.loading import load_task
from .wiring.engines import engine_of
from .wiring.files import codec_of, name_of, settings_of, source_of
from .wiring.outputs import sink_of

_log = logging.getLogger(__name__)

Only = Literal["failed", "reruns"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a job is to be run, besides what the job itself says."""

    restart: bool = False
    accept_changes: bool = False
    only: Only | None = None
    """Call nothing but the failed records, or nothing but those marked to be run again."""
    adopt: bool = False
    """Take over an output that no run of this job has written."""

    def __post_init__(self) -> None:
        if self.adopt and self.restart:
            raise ConfigError("adopt and restart contradict each other",
                              hint="restart begins anew, adopt goes on with what is there",
                              )  # fmt: skip


class Launch:
    """One run of one job. Everything that can be wrong with the job is found when it is made."""

    def __init__(
        self,
        job: Job,
        manner: Manner,
        observers: Sequence[Observer],
        memory: MemoryStore | None = None,
    ) -> None:
        """`memory` is where outcomes of a job without a sink go."""
        check_paths(job)
        self.stop = Stop()
        # In memory, where nobody reads results before the end, they may as well be in order.
        self.job = job if job.sink else replace(job, order="input")
        self.name = name_of(job)
        self._manner = manner
        self._memory = memory or MemoryStore()
        self._task = load_task(job.task, batch=job.batch_size is not None)
        self._codec = codec_of(job, self._task)
        self.engine: Engine = engine_of(job, self._task, self._codec)
        self._source = source_of(job)
        self._watch = Watch(observers)
        if manner.only and job.sink is None:
            raise ConfigError(f"only {manner.only} needs a sink: nothing is kept between runs",
                              hint="give the job a sink")  # fmt: skip

    async def run(self) -> Report:
        """Run until the source is used up or the stop signal says so."""
        report = await (self._to_file() if self.job.sink else self._in_memory())
        if report.state == "aborted" and not self._watch.observed:
            _log.error("%s: run aborted: %s", self.name, report.reason)
        if report.hint:
            self._warn(report.hint)
        self._watch.tell(RunEnded(report))
        return report

    def _warn(self, text: str) -> None:
        if self._watch.observed:
            self._watch.note(text, "warning")
        else:
            _log.warning("%s: %s", self.name, text)

    async def _in_memory(self) -> Report:
        store = self._memory
        parts = self._assemble(store, Mark(), store.commit_every_s)
        self._tell_start(store, number=1)
        await self._flow(parts)
        pending = parts.feed.pending
        known = pending.read_to.seq - store.counts.blank
        return report_of(parts, self.name, Counts(), known=known, complete=pending.exhausted,
                         results=store.results, failures=store.letters)  # fmt: skip

    async def _to_file(self) -> Report:
        sink = sink_of(self.job, self._codec.columns)
        manner = self._manner
        asked = Asked(manner.restart, manner.accept_changes, manner.only, manner.adopt)
        with open_job(self.job, self.name, self._source, sink, settings_of(self.job),
                      self._codec.key_of, asked, self._watch.note) as opened:  # fmt: skip
            store, ledger = opened.store, opened.ledger
            already = replace(store.counts)
            every_s = self.job.commit_every_s
            every_s = sink.commit_every_s if every_s is None else every_s
            parts = self._assemble(store, ledger.marks.resume, every_s, _paced_s(ledger))
            self._tell_start(store, number=ledger.run)
            await self._flow(parts)
            return self._close(parts, opened, already)

    def _close(self, parts: Parts, opened: OpenJob, already: Counts) -> Report:
        ledger, counts = opened.ledger, opened.store.counts
        all_read = self._manner.only is None
        complete = parts.feed.pending.exhausted if all_read else ledger.source_complete
        known = ledger.marks.extent.seq - counts.blank

        def report() -> Report:
            return report_of(
                parts, self.name, already, known=known, complete=complete,
                output=str(opened.sink.path), errors=str(opened.errors.path),
            )  # fmt: skip

        if ledger.sound:
            with _into(parts.stop):
                opened.store.check()
                opened.errors.rewrite(ledger.letters())
            with _into(parts.stop):
                next_start_at = time.time() + parts.pacer.state(time.monotonic())
                ledger.end_run(report(), opened.sink.identity(), next_start_at=next_start_at)
        return report()

    def _assemble(
        self, store: Store, start: Mark, commit_every_s: float, paced_s: float | None = None
    ) -> Parts:
        source = None if self._manner.only else self._source
        clock = Clock(time.monotonic, now_text, random.random)
        return assemble(self.job, source=source, start=start, codec=self._codec,
                        engine=self.engine, store=store, commit_every_s=commit_every_s,
                        stop=self.stop, clock=clock, watch=self._watch,
                        ahead=None if self.job.sink else self._memory.ahead,
                        paced_s=paced_s)  # fmt: skip

    def _tell_start(self, store: Store, number: int) -> None:
        self._watch.tell(
            RunStarted(
                self.name,
                number,
                store.counts.settled,
                store.counts.failed,
                self.engine.calls,
                self.engine.name,
            )
        )

    async def _flow(self, parts: Parts) -> None:
        """Run, and keep what stopped the run in `stop`; only being cancelled is passed on."""
        try:
            await flow(parts)
        except Exception as error:
            parts.stop.cancel("an error in the run", error=error)


def _paced_s(ledger: SqliteLedger) -> float | None:
    """How far the calls that earlier runs have started hold back the next one, in seconds. Of a run
    that was killed nobody knows when it last started one."""
    if ledger.run == 1:
        return None
    return math.inf if ledger.follows_a_kill else ledger.state.next_start_at - time.time()


@contextmanager
def _into(stop: Stop) -> Iterator[None]:
    """Have an error of the run's end stand in its report."""
    try:
        yield
    except BatchmillError as error:
        stop.cancel("the run's end could not be written down", error=error)
