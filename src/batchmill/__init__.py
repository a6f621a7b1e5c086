"""batchmill: run a function over many records and lose nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .api import arun as arun
    from .api import run as run
    from .calling import Current as Current
    from .calling import current as current
    from .errors import BatchmillError as BatchmillError
    from .errors import ConfigError as ConfigError
    from .errors import Permanent as Permanent
    from .errors import RetryAfter as RetryAfter
    from .errors import Transient as Transient
    from .files.atomic import atomic_write as atomic_write
    from .flow.batcher import AsyncBatcher as AsyncBatcher
    from .flow.batcher import batched as batched
    from .flow.retrying import retry_with_backoff as retry_with_backoff
    from .job import Job as Job
    from .mapping import map as map  # noqa: A004
    from .options import Retry as Retry
    from .records import DeadLetter as DeadLetter
    from .report import ExitCode as ExitCode
    from .report import Report as Report
    from .sources.fixed import FixedRecords as FixedRecords

_HOMES = {
    "AsyncBatcher": "flow.batcher",
    "BatchmillError": "errors",
    "ConfigError": "errors",
    "Current": "calling",
    "DeadLetter": "records",
    "ExitCode": "report",
    "FixedRecords": "sources.fixed",
    "Job": "job",
    "Permanent": "errors",
    "Report": "report",
    "Retry": "options",
    "RetryAfter": "errors",
    "Transient": "errors",
    "arun": "api",
    "atomic_write": "files.atomic",
    "batched": "flow.batcher",
    "current": "calling",
    "map": "mapping",
    "retry_with_backoff": "flow.retrying",
    "run": "api",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names are those of the table


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import batchmill` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
