"""Which record is this? What a task may ask while it is being called."""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Current:
    """The record that is being called."""

    seq: int
    key: str | int | None
    attempt: int
    """From 1; retries of this run count on."""
    idempotency_key: str
    """The same for every attempt at this record, over retries and restarts; another one if the
    record's content changes. Hand it to services that take such a key."""


class Here(Protocol):
    """What a slot knows of the record that it is calling."""

    def current(self) -> Current: ...


here: ContextVar[Here] = ContextVar("batchmill_here")


def current() -> Current:
    """The record that the running task is called for.

    Raises LookupError outside a task, and in process_batch.
    """
    call = here.get(None)
    if call is None:
        raise LookupError("batchmill.current() is known only inside a task")
    return call.current()


def idempotency_key(job: str, seq: int, raw: Any) -> str:
    """32 hexadecimal digits: BLAKE2b of the job's name, the record's number and its content.

    An item that is no bytes has no content that can be relied on: the task may change it.
    """
    content = raw if isinstance(raw, bytes) else b""
    digest = hashlib.blake2b(digest_size=16)
    for part in (job.encode(), str(seq).encode(), content):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
