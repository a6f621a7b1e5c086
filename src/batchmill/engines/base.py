"""What every engine is made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..protocols import Codec
from ..tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is called, in which way, and for how long at most."""

    task: Task
    codec: Codec
    job: str
    """The job's name, for idempotency keys."""
    slots: int
    now: Callable[[], float]
    """A monotonic clock, in seconds."""
    timeout_s: float | None = None
    batch_size: int = 1
    batch_format: str = "list"
    keyed: bool = False
    """Whether the keys of records without rows are to be reported."""
    home: int = field(default_factory=os.getpid)
    """The process that calls; what a task forks is another one."""

    @property
    def together(self) -> int:
        """How many records one call takes at most."""
        return self.batch_size if self.task.is_batch else 1

    @property
    def call(self) -> Callable[[Any, Any], Any]:
        """The task's function, as one of record and context."""
        function: Any = self.task.process
        return function if self.task.takes_context else lambda record, _: function(record)
