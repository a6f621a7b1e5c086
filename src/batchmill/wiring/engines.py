"""Which engine does a job name?"""

from __future__ import annotations

from ..engines.on_loop import LoopEngine
from ..engines.on_threads import ThreadEngine
from ..errors import ConfigError
from ..job import Job
from ..protocols import Codec
from ..slots import Engine
from ..tasks.task import Task
from .setting import setting_of


def engine_of(job: Job, task: Task, codec: Codec) -> Engine:
    """Where the task runs. "auto" takes processes if the job says something of them, else the loop
    for coroutines and threads for plain functions."""
    name = job.engine
    if name == "auto":
        name = "async" if task.is_async else "thread"
        if job.workers is not None or job.worker_memory is not None:
            name = "process"
    if name == "thread" and task.is_async:
        raise ConfigError('run.engine = "thread" is for plain functions, and the task is async',
                          hint='run.engine = "async"')  # fmt: skip
    setting = setting_of(job, task, codec, job.concurrency)
    if name == "process":
        from .processes import process_engine

        return process_engine(job, setting)
    return LoopEngine(setting) if name == "async" else ThreadEngine(setting)
