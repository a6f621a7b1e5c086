"""What can go wrong at a step that a run makes on its files? What shim.c does is said here."""

from __future__ import annotations

from dataclasses import dataclass, replace

OPEN, WRITE, SYNC, TRUNCATE, RENAME, UNLINK = 1, 2, 4, 8, 16, 32
ALL = 63
ENOSPC, EIO, EINTR = 28, 5, 4


STANDING_STILL = {"kill": "stop", "torn": "half"}
"""How a process stands still where it would be killed, by what would kill it."""


@dataclass(frozen=True)
class Break:
    """What is to go wrong at the n-th call that changes the job's files."""

    what: str = "nothing"
    at: int = 0
    error: int = 0
    kinds: int = ALL
    always: bool = False
    with_data: bool = False

    @property
    def kills(self) -> bool:
        return self.what in STANDING_STILL

    def standing_still(self) -> Break:
        """Where this would kill the process, and at every later such place: let it stand still."""
        return replace(self, what=STANDING_STILL[self.what], always=True)

    @classmethod
    def nothing(cls) -> Break:
        """Nothing; but what is done is written down."""
        return cls(with_data=True)

    @classmethod
    def kill(cls, at: int) -> Break:
        return cls("kill", at)

    @classmethod
    def torn(cls, at: int) -> Break:
        """Killed in the middle of a write."""
        return cls("torn", at, kinds=WRITE)

    @classmethod
    def stop(cls, at: int) -> Break:
        return cls("stop", at)

    @classmethod
    def short(cls, at: int, *, always: bool = False) -> Break:
        return cls("short", at, kinds=WRITE, always=always)

    @classmethod
    def full_disk(cls, at: int, *, always: bool = False) -> Break:
        return cls("fail", at, ENOSPC, OPEN | WRITE | RENAME, always)

    @classmethod
    def broken_disk(cls, at: int, *, always: bool = False) -> Break:
        return cls("fail", at, EIO, ALL, always)

    @classmethod
    def interrupted(cls, at: int) -> Break:
        return cls("fail", at, EINTR, OPEN | WRITE | SYNC | TRUNCATE)
