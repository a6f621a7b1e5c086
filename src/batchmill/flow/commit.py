"""Commits are made by one thread of their own, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from ..protocols import Store
from ..records import Commit
from .draft import Draft
from .one_thread import OneThread

COMMIT_BYTES = 4 << 20
"""A commit is made as soon as it holds so many bytes of results and dead letters,"""
COMMIT_RECORDS = 50_000
"""or settles so many records; whatever `commit_every_s` says."""


class Committer:
    """Owns the store. A commit is never cancelled half-way and is awaited before anything closes.

    While one commit is written the next one is gathered, and when that is full, too, the run waits:
    so two commits are the most that memory holds.
    """

    def __init__(
        self,
        store: Store,
        every_s: float,
        now: Callable[[], float],
        written: Callable[[BaseException | None], None],
    ) -> None:
        self._store = store
        self._every_s = every_s
        self._now = now
        self._notify = written
        self._thread = OneThread("batchmill-commit")
        self._writing: asyncio.Future[None] | None = None
        self._last_at = now()
        self._finished = False
        self.error: BaseException | None = None
        self.commits = 0

    async def __aenter__(self) -> Committer:
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cancelled = await self._written()
        self._thread.shutdown()
        if cancelled:
            raise cancelled

    @property
    def busy(self) -> bool:
        return self._writing is not None and not self._writing.done()

    @property
    def busy_s(self) -> float:
        """For how long a commit has been under way."""
        return self._now() - self._last_at if self.busy else 0.0

    def offer(self, draft: Draft, *, at_once: bool = False) -> None:
        """Begin a commit if it is time, or `at_once`, and the last one is through."""
        due = at_once or self._now() - self._last_at >= self._every_s
        if (due or _full(draft.commit)) and not self.busy and not self._finished:
            self._begin(draft)

    async def make_room(self, draft: Draft) -> None:
        """Begin a commit if it is time; wait while the draft is full and the last one is not
        through."""
        self.offer(draft)
        while _full(draft.commit) and self.error is None:
            cancelled = await self._written()
            self.offer(draft)
            if cancelled:
                raise cancelled

    async def finish(self, draft: Draft) -> None:
        """Commit all there is; nothing is committed after it.

        Raises what a commit has raised. Being cancelled is passed on once all is written.
        """
        cancelled = await self._written()
        self._finished = True
        if self.error is None:
            self._begin(draft)
            cancelled = await self._written() or cancelled
        if self.error is not None:
            raise self.error
        if cancelled:
            raise cancelled

    def _begin(self, draft: Draft) -> None:
        self._last_at = self._now()
        if self.error is None and draft.commit:
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(self._thread, self._write, draft.take())
            self._writing.add_done_callback(self._on_written)

    def _write(self, commit: Commit) -> None:
        self._store.commit(commit)

    def _on_written(self, writing: asyncio.Future[None]) -> None:
        self.commits += 1
        failure = writing.exception()
        self.error = self.error or failure
        self._notify(self.error)

    async def _written(self) -> asyncio.CancelledError | None:
        """Wait for the commit under way, however often this is cancelled; returns the cancelling,
        which the caller has to pass on."""
        cancelled: asyncio.CancelledError | None = None
        while self.busy:
            assert self._writing
            try:
                await asyncio.wait([self._writing])
            except asyncio.CancelledError as error:
                cancelled = error
        return cancelled


def _full(commit: Commit) -> bool:
    settled = commit.counts.settled + commit.counts.blank
    return commit.weight >= COMMIT_BYTES or settled >= COMMIT_RECORDS
