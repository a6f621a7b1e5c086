"""How does a task reach worker processes, and what do they make of it?"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

from ..engines.base import Setting
from ..engines.children import reach_children
from ..engines.cores import usable_cores
from ..engines.imports import Imports
from ..engines.on_processes import ProcessEngine
from ..engines.orders import Crew, Orders
from ..engines.wire import by_value
from ..errors import ConfigError
from ..job import Job
from ..options import Retry
from ..tasks.loading import load_task
from ..tasks.task import Task
from .files import codec_of, is_path
from .inputs import settled_options
from .setting import setting_of

PIPELINED = 2
"""Portions that a worker holds at a time: one that it calls, one that waits."""


def process_engine(job: Job, setting: Setting) -> ProcessEngine:
    """The engine for `workers` processes. Coroutines share `concurrency` among them.

    Raises ConfigError for a task that cannot be sent to another process.
    """
    cores = usable_cores()
    workers = job.workers or cores
    if setting.task.is_async:
        lanes = -(-job.concurrency // workers)
    else:
        lanes = 1 if job.rate else PIPELINED
    prepare = Prepare(_without_objects(job), _portable(setting.task), lanes)
    orders = Orders(prepare=prepare, objects_out=job.sink is None, rate=job.parsed_rate,
                    burst=job.burst, memory_limit=job.worker_bytes)  # fmt: skip
    crew = Crew(workers=workers, lanes=lanes, orders=orders, imports=Imports.of_this_process(),
                threads=max(1, cores // workers))  # fmt: skip
    return ProcessEngine(setting, crew, items_in=prepare.items_in)


@dataclass(frozen=True, slots=True)
class Prepare:
    """Makes in a worker what its engine is told; travels there as a pickle."""

    job: Job
    task: str | bytes
    """How the task is spelled, or itself as a pickle."""
    slots: int

    @property
    def items_in(self) -> bool:
        """Whether records are objects and not bytes."""
        return self.job.sink is None and not is_path(self.job.source)

    def __call__(self) -> Setting:
        job = self.job
        task: Task
        if isinstance(self.task, str):
            task = load_task(self.task, batch=job.batch_size is not None)
        else:
            reach_children()
            task = pickle.loads(self.task)  # noqa: S301 - from the driver
        return setting_of(job, task, codec_of(job, task), self.slots)


def _without_objects(job: Job) -> Job:
    """The job without what a worker has no use for, or what may be unable to travel."""
    source = job.source if is_path(job.source) else ()
    return replace(job, source=source, source_options=settled_options(job), task=None,
                   retry=Retry())  # fmt: skip


def _portable(task: Task) -> str | bytes:
    """How the task is spelled or, for what is defined in a script or a function, a pickle of it."""
    if task.spec is not None:
        return task.spec
    try:
        return by_value(task)
    except Exception as error:
        raise ConfigError(
            f"the task {task.name} cannot be sent to worker processes: {error}",
            hint="define it in a module of its own, and open in on_startup what it needs",
        ) from error
