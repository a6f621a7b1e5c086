"""Single calls in, batches out, nobody left hanging: the in-process dynamic batcher.

    from batchmill.flow.batcher import AsyncBatcher, batched

What is where, from the caller to the batch and back:

    batcher_base        AsyncBatcher: what users subclass and call
    batcher_decorator   @batched, the same for functions and methods
    batcher_owners      which batcher is that of which object
    batcher_settings    what can be set, and what it means
    batcher_entrance    who may come in
    core/batching       which items go out together, when, and why
    batcher_pump        starts batches, answers callers
    batcher_lull        a free slot waits for callers who were just answered
    batcher_patient     max_queue_time="auto"
    batcher_alarm       one timer for many moments
    batcher_task        a batch as a task
    batcher_call        where process_batch runs
    batcher_split       which item made a batch fail
    batcher_answers     each caller's own result or exception
    batcher_deadlines   callers with a time limit
    batcher_running     what process_batch can know of its batch
    batcher_state       whether it takes calls
    batcher_stop        how it ends
    batcher_sync        calls from other threads
"""

from __future__ import annotations

from ..core.batch_stats import BatcherStats
from .batcher_base import AsyncBatcher
from .batcher_decorator import Batched, batched
from .batcher_errors import (
    BatcherStopped,
    BatchFailed,
    ItemTooCostly,
    QueueFullException,
    WrongLoop,
    WrongResults,
)
from .batcher_running import RunningBatch, current_batch
from .batcher_settings import BatcherOptions

__all__ = [
    "AsyncBatcher",
    "BatchFailed",
    "Batched",
    "BatcherOptions",
    "BatcherStats",
    "BatcherStopped",
    "ItemTooCostly",
    "QueueFullException",
    "RunningBatch",
    "WrongLoop",
    "WrongResults",
    "batched",
    "current_batch",
]
