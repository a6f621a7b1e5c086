"""Which engine does a job name?"""

from __future__ import annotations

import time

from ..engines.on_loop import LoopEngine
from ..engines.on_threads import ThreadEngine
from ..errors import ConfigError
from ..job import Job
from ..protocols import Codec, Engine
from ..tasks.task import Task
from .files import name_of


def engine_of(job: Job, task: Task, codec: Codec) -> Engine:
    """Where the task runs: "auto" takes the loop for coroutines and threads for plain functions."""
    if task.is_batch:
        raise ConfigError(f"{task.name} defines process_batch, and a job calls process_record yet",
                          hint="define process_record")  # fmt: skip
    name = job.engine
    if name == "auto":
        name = "async" if task.is_async else "thread"
    if name == "process":
        raise ConfigError('run.engine = "process" is not there yet', hint='run.engine = "auto"')
    if name == "thread" and task.is_async:
        raise ConfigError('run.engine = "thread" is for plain functions, and the task is async',
                          hint='run.engine = "async"')  # fmt: skip
    kind = LoopEngine if name == "async" else ThreadEngine
    return kind(task, codec, job=name_of(job), slots=job.concurrency, timeout_s=job.timeout_s,
                now=time.monotonic)  # fmt: skip
