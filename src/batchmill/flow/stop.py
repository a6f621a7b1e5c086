"""How is a run told to end? Once politely, then with force."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Literal

Level = Literal["run", "drain", "cancel"]


class Stop:
    """The stop signal of one run, given to everything that must hear it.

    "drain": no further record is read, calls in flight may end. "cancel": they are given up.
    The first reason stands; the level only rises.
    """

    def __init__(self) -> None:
        self.level: Level = "run"
        self.reason = ""
        self.error: BaseException | None = None
        self.signal: int | None = None
        self.listeners: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        return self.level != "run"

    def drain(self, reason: str, *, error: BaseException | None = None) -> None:
        """Let the run end after the calls in flight."""
        if self.level == "run":
            self.reason, self.error = reason, error
            self._rise("drain")

    def cancel(self, reason: str, *, error: BaseException | None = None) -> None:
        """Let the run end now."""
        if self.level == "run":
            self.reason, self.error = reason, error
        if self.error is None:
            self.error = error
        if self.level != "cancel":
            self._rise("cancel")

    def on_signal(self, number: int) -> None:
        """The first signal drains, the second one cancels."""
        name = signal.Signals(number).name
        self.signal = self.signal or number
        if self.level == "run":
            self.drain(f"interrupted by {name}")
        else:
            self.cancel(f"interrupted by {name}")

    def _rise(self, level: Level) -> None:
        self.level = level
        for listener in self.listeners:
            listener()

    def __repr__(self) -> str:
        return f"<Stop {self.level} {self.reason!r}>"
