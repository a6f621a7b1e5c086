"""Does a batcher take calls?"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What a batcher does with new calls."""

    OPEN = "open"
    DRAINING = "draining"
    """Only calls made for its own running batches are taken in."""
    STOPPED = "stopped"
