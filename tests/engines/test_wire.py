"""Frames are cut from a stream however it is cut; a note in shared memory outlives who wrote it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.engines.cells import Cells
from batchmill.engines.wire import (
    Close,
    Done,
    Garbled,
    Portion,
    Refused,
    frame,
    from_worker,
    to_worker,
)
from commands import environment


@given(
    portions=st.lists(st.lists(st.binary(max_size=300), max_size=5), max_size=6),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=20),
)
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(portions, cuts):
    sent = [Portion(n, list(range(len(raws))), raws, {}) for n, raws in enumerate(portions)]
    stream = b"".join(bytes(frame(message)) for message in [*sent, Close()])
    frames, received = to_worker(), []

    at = turn = 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        received += frames.feed(stream[at : at + step])
        at, turn = at + step, turn + 1

    assert [*sent, Close()] == received


def test_what_is_decoded_does_not_change_when_more_arrives():
    frames = from_worker()
    first = Done(0, 0.5, [1], [b"row"], [], [], [0.5], [], [])
    second = Done(1, 0.5, [2], [b"other"], [], [], [0.5], [], [])

    (one,) = frames.feed(bytes(frame(first)))
    frames.feed(bytes(frame(second)))

    assert first == one


@given(at=st.integers(0, 120), stray=st.binary(min_size=1, max_size=30))
def test_stray_bytes_are_never_taken_for_a_message(at, stray):
    done = Done(0, 0.5, [1], [b"row"], [], [], [0.5], [], [])
    stream = bytes(frame(done)) * 2
    frames = from_worker()

    received = []
    with contextlib.suppress(Garbled):
        received += frames.feed(stream[:at] + stray + stream[at:])
        received += frames.feed(stream)

    assert received in ([], [done], [done] * 2)


def test_a_frame_of_an_absurd_length_is_none():
    head = bytes(frame(Close()))[:4] + (1 << 50).to_bytes(8, "big")

    with pytest.raises(Garbled):
        to_worker().feed(head)


def test_text_that_cannot_be_encoded_is_spelled_out():
    told = Refused("ConfigError", "no such file: caf\udce9.txt", None)

    (received,) = from_worker().feed(bytes(frame(told)))

    assert "no such file: caf\\udce9.txt" == received.message


NOTER = """
import os, sys
from batchmill.engines.cells import Cells
cells = Cells(int(sys.argv[1]), 2)
words, times, at = cells.of(1)
times[at + 1], words[at] = 12.5, 7
os._exit(1)
"""


def test_what_a_process_has_noted_is_there_when_it_has_died():
    with closing(Cells.create(2)) as cells:
        assert cells.calling(1) is None
        subprocess.run([sys.executable, "-c", NOTER, str(cells.fd)], env=environment(),
                       pass_fds=[cells.fd], check=False)  # fmt: skip

        assert (None, (7, 12.5)) == (cells.calling(0), cells.calling(1))
        cells.clear(1)
        assert cells.calling(1) is None
