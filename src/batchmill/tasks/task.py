"""What a task is, once it has been found and looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The user's code, ready to be called in one known way.

    `process(record)` or, with `takes_context`, `process(record, context)`; a list of records in
    place of the record when `is_batch`. What it returns is to be awaited when `is_async`.
    """

    name: str
    process: Callable[..., Any]
    """The user's `process_record` or `process_batch` itself, not wrapped."""
    is_batch: bool = False
    is_async: bool = False
    takes_context: bool = False
    record_type: Any = None
    """The annotation of the record, where it is a type that records are converted to."""
    on_startup: Callable[..., Any] | None = None
    on_shutdown: Callable[..., Any] | None = None
    spec: str | None = None
    """What loads the same task in another process: "/dir/task.py", "package.module:function".
    None for code that has no name to find it by: a lambda, a closure, an object."""

    def __repr__(self) -> str:
        kind = "process_batch" if self.is_batch else "process_record"
        return f"<Task {self.name} {'async ' if self.is_async else ''}{kind}>"
