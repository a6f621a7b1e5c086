"""What sets worker processes up?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..options import Rate
from .base import Setting
from .imports import Imports


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is told before anything else. It travels as a pickle."""

    prepare: Callable[[], Setting]
    """Loads the task."""
    objects_out: bool = False
    """Whether results are objects and not bytes."""
    rate: Rate | None = None
    burst: int = 1
    memory_limit: int | None = None
    """Bytes of memory that the worker may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """How many processes there are, and what each of them does."""

    workers: int
    lanes: int
    """Portions that a worker holds at a time."""
    orders: Orders
    imports: Imports
    threads: int
    """How many threads a numerical library in a worker should use."""
