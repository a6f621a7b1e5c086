"""Which engine does a job name?"""

from __future__ import annotations

import time

from ..engines.base import Setting
from ..engines.on_loop import LoopEngine
from ..engines.on_threads import ThreadEngine
from ..errors import ConfigError
from ..job import Job
from ..protocols import Codec, Engine
from ..tasks.task import Task
from .files import name_of

BATCH_SIZE = 100
"""How many records `process_batch` gets at once, unless the job says."""


def engine_of(job: Job, task: Task, codec: Codec) -> Engine:
    """Where the task runs: "auto" takes the loop for coroutines and threads for plain functions."""
    name = job.engine
    if name == "auto":
        name = "async" if task.is_async else "thread"
    if name == "thread" and task.is_async:
        raise ConfigError('run.engine = "thread" is for plain functions, and the task is async',
                          hint='run.engine = "async"')  # fmt: skip
    setting = setting_of(job, task, codec, job.concurrency)
    if name == "process":
        from .processes import process_engine

        return process_engine(job, setting)
    return LoopEngine(setting) if name == "async" else ThreadEngine(setting)


def setting_of(job: Job, task: Task, codec: Codec, slots: int) -> Setting:
    """What an engine is told of a job."""
    return Setting(
        task=task, codec=codec, job=name_of(job), slots=slots, now=time.monotonic,
        timeout_s=job.timeout_s, batch_size=job.batch_size or BATCH_SIZE,
        batch_format=job.batch_format,
    )  # fmt: skip
