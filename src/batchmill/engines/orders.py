"""What sets a worker process up?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .base import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is told before anything else. It travels as a pickle."""

    prepare: Callable[[], Setting]
    """Loads the task."""
    objects_out: bool = False
    """Whether results are objects and not bytes."""
    memory_limit: int | None = None
    """Bytes of memory that the worker may use."""
