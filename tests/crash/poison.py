"""A task that does to its process whatever a record says, and what is to become of such records."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")

    def __reduce__(self) -> Any:
        raise TypeError("cannot be pickled")


def process_record(record: dict[str, Any]) -> dict[str, Any]:
    kind = record.get("kind")
    if kind is not None:
        globals()[kind]()
    return {"id": record["id"]}


def segfault() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(7)


def abort() -> None:
    os.abort()


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(3600)


def eat() -> None:
    size = 1 << 20
    while True:
        bytearray(size)
        size *= 8


def close_files() -> None:
    """The harm shows only after the call."""
    os.closerange(3, 4096)


def exit_politely() -> None:
    sys.exit("no more")


def recurse() -> None:
    recurse()


def raise_unreadable() -> None:
    raise Unreadable


FATES = {
    "segfault": ("WorkerDied", "was killed by SIGSEGV", 3),
    "leave": ("WorkerDied", "ended itself with exit code 7", 3),
    "abort": ("WorkerDied", "was killed by SIGABRT", 3),
    "close_files": ("WorkerDied", "the worker process that called it", 3),
    "spin": ("TimedOut", "its worker process was killed", 1),
    "sleep": ("TimedOut", "its worker process was killed", 1),
    "eat": ("MemoryError", "needs more memory than run.worker_memory = ", 1),
    "exit_politely": ("SystemExit", "no more", 1),
    "recurse": ("RecursionError", "maximum recursion depth exceeded", 1),
    "raise_unreadable": ("Unreadable", "(its message could not be read)", 1),
}
"""Type and message of the dead letter, and how many attempts were made at least: calls that were
lost when their worker died of another record count as well."""


def make_source(count: int) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """`count` records, and which of them do what, spread over all of them."""
    gap = count // len(FATES)
    kinds = {gap * n + gap // 2: kind for n, kind in enumerate(FATES)}
    records = [{"id": n, "kind": kinds[n]} if n in kinds else {"id": n} for n in range(count)]
    return records, kinds
