"""What is an engine told of a job?"""

from __future__ import annotations

import time

from ..engines.base import Setting
from ..job import Job
from ..protocols import Codec
from ..tasks.task import Task
from .files import name_of

BATCH_SIZE = 100
"""How many records `process_batch` gets at once, unless the job says."""


def setting_of(job: Job, task: Task, codec: Codec, slots: int) -> Setting:
    """What every engine is told."""
    return Setting(
        task=task, codec=codec, job=name_of(job), slots=slots, now=time.monotonic,
        timeout_s=job.timeout_s, batch_size=job.batch_size or BATCH_SIZE,
        batch_format=job.batch_format, keyed=job.key is not None and job.sink is not None,
    )  # fmt: skip
