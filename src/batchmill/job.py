"""What to run: a frozen value, checked when it is made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import ConfigError
from .options import FailureLimit, Rate, Retry, bytes_of, require

EngineName = Literal["auto", "async", "thread", "process"]
ENGINES = ("auto", "async", "thread", "process")
ORDERS = ("completion", "input")
BATCH_FORMATS = ("list", "pandas", "arrow", "polars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A source, a task, a sink, and how they are run.

    `source` is a path or any iterable; `task` a function, an object with the task module's
    functions, "task.py" or "package.module:function"; without a `sink` the results are in the
    report. `key` names the field that identifies a record to people, and lets a job go on after
    its source or output was edited.

    Raises ConfigError, naming option, value and remedy.
    """

    source: str | os.PathLike[str] | Iterable[Any]
    task: Any
    sink: str | os.PathLike[str] | None = None
    name: str | None = None
    errors: str | os.PathLike[str] | None = None
    key: str | None = None
    rerun_key: str | None = None
    version: str | None = None
    source_format: str | None = None
    source_options: Mapping[str, Any] = field(default_factory=dict)
    sink_format: str | None = None
    sink_options: Mapping[str, Any] = field(default_factory=dict)
    order: str = "completion"
    engine: str = "auto"
    workers: int | None = None
    worker_memory: int | str | None = None
    concurrency: int = 50
    batch_size: int | None = None
    batch_format: str = "list"
    rate: str | None = None
    burst: int = 1
    timeout_s: float | None = None
    max_failures: int | str | None = None
    systemic_after: int = 20
    commit_every_s: float | None = None
    grace_s: float = 30.0
    limit: int | None = None
    retry_failed: bool = True
    retry: Retry = field(default_factory=Retry)

    def __post_init__(self) -> None:
        one_of("run.engine", self.engine, ENGINES)
        one_of("sink.order", self.order, ORDERS)
        one_of("run.batch_format", self.batch_format, BATCH_FORMATS)
        _at_least("run.concurrency", self.concurrency, 1)
        _at_least("run.burst", self.burst, 1)
        require(isinstance(self.retry, Retry), "retry", self.retry, "Retry(max_attempts=…)")
        _at_least("run.workers", self.workers, 1)
        _at_least("run.batch_size", self.batch_size, 1)
        _at_least("run.limit", self.limit, 0)
        _at_least("run.systemic_after", self.systemic_after, 0)
        _at_least("run.commit_every_s", self.commit_every_s, 0)
        _at_least("run.grace_s", self.grace_s, 0)
        limit = self.timeout_s
        require(limit is None or (_is_number(limit) and limit > 0), "run.timeout_s", limit,
                "above zero, or left out for no limit")  # fmt: skip
        bytes_of("run.worker_memory", self.worker_memory)
        rate = self.parsed_rate
        most = rate.count if rate else 1
        require(1 <= self.burst <= most, "run.burst", self.burst,
                f"from 1 to the rate's count ({most})")  # fmt: skip
        FailureLimit.parse(self.max_failures)
        if self.rerun_key and not self.key:
            raise ConfigError(
                "job.rerun_key needs job.key", hint="set job.key to the field that names a record"
            )

    @property
    def parsed_rate(self) -> Rate | None:
        return Rate.parse(self.rate) if self.rate else None

    @property
    def worker_bytes(self) -> int | None:
        """How much memory a worker process may use."""
        return bytes_of("run.worker_memory", self.worker_memory)

    @property
    def failure_limit(self) -> FailureLimit:
        return FailureLimit.parse(self.max_failures)


def one_of(option: str, value: object, allowed: Iterable[str]) -> None:
    names = tuple(allowed)
    require(value in names, option, value, "one of " + ", ".join(f'"{name}"' for name in names))


def _at_least(option: str, value: float | None, least: float) -> None:
    enough = value is None or (_is_number(value) and value >= least)
    require(enough, option, value, f"{least} or more")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
