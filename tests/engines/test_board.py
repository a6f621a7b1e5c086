"""When may a worker begin a call? The driver says so, and the pace is kept where calls begin."""

from __future__ import annotations

import math
import os
import signal
from contextlib import closing

import pytest

from batchmill.core.pacing import Pacer
from batchmill.engines.board import BUSY_S, Board
from batchmill.options import Rate


@pytest.fixture
def boards():
    """The driver's board, and a worker's: the same memory."""
    rate = Rate.parse("10/s")
    mine = Board.create(Pacer(rate))
    with closing(mine), closing(Board(os.dup(mine.fd), Pacer(rate))) as other:
        yield mine, other


def test_what_the_driver_says_is_seen_by_workers(boards):
    driver, worker = boards

    driver.hold(12.0)
    assert 2.0 == worker.wait_s(10.0)
    driver.hold(11.0)
    assert 1.0 == worker.wait_s(10.0)
    driver.halt()
    assert math.inf == worker.wait_s(10.0)


def test_what_a_worker_asks_for_holds_until_the_driver_answers(boards):
    driver, worker = boards

    worker.ask(10.2)
    driver.hold(0.0)
    assert worker.wait_s(10.0) > 0
    driver.answer(0.0)
    assert worker.wait_s(10.0) < 0


def test_starts_are_spaced_whoever_makes_them_and_however_late(boards):
    now, starts = 100.0, []
    while len(starts) < 60:
        # Ten of them come at once, now and then, as from a worker that has been started anew.
        for board in boards * 5:
            if not board.take_start(now):
                starts.append(now)
        now += 0.003 if len(starts) % 7 else 0.7

    assert max(sum(at <= each < at + 1 for each in starts) for at in starts) <= 10


def test_where_another_process_takes_a_start_one_asks_again_soon(boards):
    driver, worker = boards
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        with driver._alone():
            os.write(tell, b"!")
            signal.pause()
    os.read(told, 1)

    assert BUSY_S == worker.take_start(100.0)

    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert 0.0 == worker.take_start(100.0)
