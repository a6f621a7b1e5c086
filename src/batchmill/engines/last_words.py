"""How a worker process ended, in words."""

from __future__ import annotations

import signal
from typing import Any

from .. import errors
from ..errors import BatchmillError, ConfigError, MissingDependency
from .wire import Refused

EXITED = "ended itself with exit code 0"


def how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended itself with exit code {code}"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"was killed by {name}, by the system for want of memory or from outside"
    return f"was killed by {name}"


def refusal(told: Refused) -> BatchmillError:
    """The error of the worker, of the same kind where it is one of ours."""
    kind: Any = getattr(errors, told.kind, ConfigError)
    if kind is MissingDependency or not issubclass(kind, BatchmillError):
        kind = ConfigError
    error: BatchmillError = kind(told.message, hint=told.hint)
    return error
