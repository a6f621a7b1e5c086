"""Worker processes, seen from outside: found, killed at moments drawn by chance, and missed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

POLL_S = 0.0005
CALL_BYTES = 8
"""Bytes that a task writes down for each of its calls."""


def workers_of(driver: int) -> list[int]:
    """The worker processes that a driver has started and that have not ended."""
    found = []
    for path in Path(f"/proc/{driver}/task").glob("*/children"):
        found += [pid for pid in map(int, _read(path).split()) if is_worker(pid)]
    return found


def is_worker(pid: int) -> bool:
    """Whether this is a worker process, and alive."""
    return "batchmill.engines.worker" in _read(Path(f"/proc/{pid}/cmdline"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def outlived(pids: Iterable[int], within_s: float = 5.0) -> list[int]:
    """Those of these workers that are still alive after so many seconds."""
    until = time.monotonic() + within_s
    while left := [pid for pid in pids if is_worker(pid)]:
        if time.monotonic() > until:
            return left
        time.sleep(POLL_S)
    return []


def calls_in(notes: Path) -> int:
    """How many calls a task has written down."""
    return notes.stat().st_size // CALL_BYTES if notes.exists() else 0


class Killer(threading.Thread):
    """Kills workers of this process with SIGKILL, one at a time, whatever they are doing. Each time
    it lets them make a number of calls first, so that the job gets on."""

    def __init__(self, notes: Path, kills: int, between: int, seed: int) -> None:
        super().__init__(name="killer", daemon=True)
        self.kills = 0
        self._notes = notes
        self._wanted = kills
        self._between = between
        self._draw = random.Random(seed)
        self._over = threading.Event()

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while self.kills < self._wanted and not self._over.is_set():
            more = self._draw.randrange(1, self._between)
            self._wait_for(calls_in(self._notes) + more)
            self._over.wait(self._draw.random() * 0.004)
            self._kill_one()

    def _wait_for(self, calls: int) -> None:
        while calls_in(self._notes) < calls and not self._over.wait(POLL_S):
            pass

    def _kill_one(self) -> None:
        alive = workers_of(os.getpid())
        if alive and not self._over.is_set():
            os.kill(self._draw.choice(alive), signal.SIGKILL)
            self.kills += 1


def wait_until(there: Callable[[], bool], within_s: float = 30.0) -> None:
    """Until this is so; an AssertionError if it takes too long."""
    until = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(POLL_S)
