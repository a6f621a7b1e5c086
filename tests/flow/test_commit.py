"""Outcomes are made durable by one commit at a time, whole or not at all."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest
from stage import NotingStore, Stage

from batchmill.errors import CommitFailed
from batchmill.flow import commit as committing
from batchmill.flow import feed, pending
from batchmill.flow.ticker import TICK_S


async def give_back(record):
    return record


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


class BlockedStore(NotingStore):
    """Writes for as long as it is not let go, and knows whether it is writing."""

    def __init__(self):
        super().__init__()
        self.let_go = threading.Event()
        self.writing = 0
        self._entered = asyncio.Event()
        self._loop = None

    async def entered(self):
        """Wait until a commit is being written. Virtual time stands still as long as one is."""
        self._loop = asyncio.get_running_loop()
        await self._entered.wait()

    def commit(self, commit):
        self.writing += 1
        self._loop.call_soon_threadsafe(self._entered.set)
        assert self.let_go.wait(10), "nobody let the commit go"
        super().commit(commit)
        self.writing -= 1


class FailingStore(NotingStore):
    """Fails at commit number `at`, from 0, and would succeed again afterwards."""

    def __init__(self, at=0, error=None):
        super().__init__()
        self.at = at
        self.tries = 0
        self.error = error or CommitFailed("disk full")

    def commit(self, commit):
        self.tries += 1
        if self.tries == self.at + 1:
            raise self.error
        super().commit(commit)


def test_commits_are_made_as_often_as_asked_and_at_the_end():
    async def task(record):
        await asyncio.sleep(0.1)
        return record

    began = []

    class Timed(NotingStore):
        def commit(self, commit):
            began.append(stage.now())
            super().commit(commit)

    stage = Stage(task, range(100), concurrency=1, commit_every_s=2.0, store=Timed())
    stage.play()

    gaps = [after - before for before, after in pairwise(began[:-1])]
    assert gaps == pytest.approx([2.0] * len(gaps), abs=3 * TICK_S)
    assert len(began) == 5
    assert began[-1] == pytest.approx(10.0)


def test_a_commit_counts_just_what_it_settles():
    async def task(record):
        await asyncio.sleep(record % 7 * 0.1)
        if record % 5 == 0:
            raise ValueError
        return None if record % 3 == 0 else record

    stage = Stage(task, range(400), concurrency=9, systemic_after=0).play()

    for commit in stage.store.commits:
        counted = commit.counts.settled + commit.counts.blank
        assert counted == sum(stop - start for start, stop, _ in commit.settled)
        assert commit.counts.failed == len(commit.dead_letters)
    assert stage.store.counts.settled == 400
    assert stage.store.progress.low_water == 400


def test_a_run_without_outcomes_commits_nothing():
    async def task(record):
        await asyncio.sleep(60)
        return record

    stage = Stage(task, [0], commit_every_s=0.5).play()

    assert len([commit for commit in stage.store.commits if commit.counts.settled]) == 1
    assert len(stage.store.commits) <= 2


def test_a_commit_is_made_as_soon_as_it_is_full(monkeypatch):
    monkeypatch.setattr(committing, "COMMIT_RECORDS", 100)
    monkeypatch.setattr(feed, "PIECE_MOST", 10)

    stage = Stage(give_back, range(1000), commit_every_s=3600.0).play()

    sizes = [commit.counts.settled for commit in stage.store.commits]
    assert max(sizes) <= 110
    assert len(sizes) >= 9


def test_calls_go_on_while_a_commit_is_written_and_memory_holds_two_at_most(monkeypatch):
    monkeypatch.setattr(committing, "COMMIT_RECORDS", 100)
    monkeypatch.setattr(feed, "PIECE_MOST", 10)
    store = BlockedStore()

    async def look(stage):
        await store.entered()
        await turns(2000)
        stage.called_meanwhile = len(stage.starts)
        store.let_go.set()

    stage = Stage(give_back, range(5000), concurrency=8, store=store, commit_every_s=3600.0)
    stage.play(look)

    assert 200 <= stage.called_meanwhile <= 2 * 110 + 8
    assert len(stage.results) == 5000


def test_the_reader_keeps_close_to_a_commit_that_waits_for_whoever_takes_the_results(monkeypatch):
    monkeypatch.setattr(pending, "PROMPT_S", 0.0)
    monkeypatch.setattr(feed, "PIECE_MOST", 10)
    store = BlockedStore()

    async def look(stage):
        await store.entered()
        await turns(2000)
        stage.called_meanwhile = len(stage.starts)
        store.let_go.set()

    stage = Stage(give_back, range(5000), concurrency=8, store=store, ahead=200)
    stage.play(look)

    assert 100 <= stage.called_meanwhile <= 200 + 10
    assert len(stage.results) == 5000


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_commit_that_fails_ends_the_run_and_nothing_after_it_is_written(at):
    async def task(record):
        await asyncio.sleep(0.1)
        return record

    store = FailingStore(at)
    stage = Stage(task, range(1000), concurrency=2, store=store).play()

    assert stage.error is store.error
    assert stage.stop.error is store.error
    assert store.tries == at + 1
    assert len(stage.results) == store.counts.settled == store.progress.settled
    assert len(stage.starts) < 100


def test_the_last_commit_failing_is_an_error_of_the_run_too():
    store = FailingStore(0)

    stage = Stage(give_back, range(10), store=store, commit_every_s=3600.0).play()

    assert stage.error is store.error
    assert stage.results == []


def test_a_store_that_fails_in_a_way_nobody_thought_of_ends_the_run_too():
    store = FailingStore(1, error=ZeroDivisionError("a bug"))

    async def task(record):
        await asyncio.sleep(0.1)
        return record

    stage = Stage(task, range(1000), concurrency=2, store=store).play()

    assert stage.error is store.error
    assert store.tries == 2


def test_a_failing_commit_wakes_a_run_that_waits_for_room(monkeypatch):
    monkeypatch.setattr(committing, "COMMIT_RECORDS", 10)
    store = FailingStore(0)

    stage = Stage(give_back, range(5000), concurrency=4, store=store, commit_every_s=3600.0).play()

    assert stage.error is store.error


@pytest.mark.parametrize("times", [1, 2, 3, 4])
@pytest.mark.parametrize("timeout_s", [None, 60])
def test_a_commit_under_way_is_waited_for_however_often_the_run_is_cancelled(times, timeout_s):
    store = BlockedStore()
    seen = {}

    async def task(record):
        await asyncio.sleep(0.2)
        return record

    class CancelledInCommit(Stage):
        async def _play(self, others):
            run = asyncio.create_task(self.run())
            await store.entered()
            for _ in range(times):
                run.cancel()
                await turns(5)
            seen["ended before the commit"] = run.done()
            store.let_go.set()
            await asyncio.wait([run], timeout=60)
            seen["still writing"] = store.writing
            seen["cancelled"] = run.cancelled()

    stage = CancelledInCommit(task, range(100), concurrency=2, store=store, timeout_s=timeout_s)
    try:
        stage.play()
    finally:
        store.let_go.set()

    assert seen == {"ended before the commit": False, "still writing": 0, "cancelled": True}
    assert stage.results


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_what_was_done_when_the_run_was_cancelled_in_a_commit_is_committed_too(times):
    store = BlockedStore()

    async def task(record):
        await asyncio.sleep(0.2 if record < 20 else 0)
        return record

    class CancelledInCommit(Stage):
        async def _play(self, others):
            run = asyncio.create_task(self.run())
            await store.entered()
            await turns(200)
            for _ in range(times):
                run.cancel()
                await turns(5)
            store.let_go.set()
            await asyncio.wait([run], timeout=60)

    stage = CancelledInCommit(task, range(100), concurrency=10, store=store, commit_every_s=0.15)
    try:
        stage.play()
    finally:
        store.let_go.set()

    assert stage.parts.desk.counts.succeeded >= 10
    assert len(stage.results) == stage.parts.desk.counts.succeeded
