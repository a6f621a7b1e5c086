"""Calls that go on although they were given up are waited for when they are too many."""

from __future__ import annotations

import asyncio

import pytest

from batchmill.engines.left_behind import LEAST_WAIT_S, MOST, MOST_PER_SLOT, LeftBehind
from batchmill.errors import BatchmillError
from virtual_loop import VirtualLoop


def on_virtual_time(scenario):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)


def full(slots=1, timeout_s=None) -> LeftBehind:
    left = LeftBehind(slots, timeout_s)
    for _ in range(left.most):
        left.add()
    return left


def test_the_bound_grows_with_the_slots_and_is_never_small():
    assert MOST == LeftBehind(1, None).most
    assert 100 * MOST_PER_SLOT == LeftBehind(100, None).most


@pytest.mark.parametrize("move", ["ended", "stop"])
def test_whoever_waits_goes_on_when_one_has_ended_or_the_run_ends(move):
    async def scenario():
        left = full()
        waiting = asyncio.create_task(left.room())
        await asyncio.sleep(LEAST_WAIT_S / 2)
        assert not waiting.done()
        getattr(left, move)()
        await waiting

    on_virtual_time(scenario())


@pytest.mark.parametrize("timeout_s", [None, 1, 600])
def test_a_wait_in_which_none_has_ended_is_an_error(timeout_s):
    async def scenario():
        loop = asyncio.get_running_loop()
        began, left = loop.time(), full(timeout_s=timeout_s)
        with pytest.raises(BatchmillError, match="32 calls go on although they have passed"):
            await left.room()
        return loop.time() - began

    assert max(LEAST_WAIT_S, timeout_s or 0) == pytest.approx(on_virtual_time(scenario()))
