"""Outcomes leave in the order of the input."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchmill.core.ordering import Reorder
from batchmill.core.progress import Progress


@given(
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4),
    st.randoms(use_true_random=False),
    st.integers(1, 9),
)
def test_every_outcome_leaves_once_in_order_and_as_soon_as_it_may(count, settled, chance, at_once):
    progress = Progress()
    for start, stop in settled:
        progress.settle(start, stop)
    pending = [seq for seq in range(count) if seq not in progress]
    chance.shuffle(pending)
    known = {seq for seq in range(60) if seq in progress}
    reorder, left = Reorder(progress), []

    for at in range(0, len(pending), at_once):
        put = pending[at : at + at_once]
        known |= set(put)
        rows = [seq for seq in put if seq % 3]
        reorder.put_rows(list(rows), [f"row {seq}" for seq in rows])
        for seq in put:
            if seq not in rows:
                reorder.put(seq, f"row {seq}")
        left += one_by_one(reorder.pop_ready())
        low = next(n for n in range(61) if n not in known)
        assert [seq for seq, _ in left] == sorted(seq for seq in pending if seq < low)
        assert len(reorder) == len(pending[: at + at_once]) - len(left)

    assert left == [(seq, f"row {seq}") for seq in sorted(pending)]


def one_by_one(runs):
    return [
        (start + n, outcome)
        for start, run in runs
        for n, outcome in enumerate(run if isinstance(run, list) else [run])
    ]


def test_rows_that_follow_each_other_leave_together():
    reorder = Reorder(Progress())

    reorder.put_rows([4, 0, 2, 1], ["e", "a", "c", "b"])

    assert reorder.pop_ready() == [(0, ["a", "b", "c"])]
    assert len(reorder) == 1


def test_an_empty_buffer_is_still_a_buffer():
    reorder = Reorder(Progress())

    assert reorder.pop_ready() == []
    assert len(reorder) == 0
    assert repr(reorder) == "<Reorder next=0 held=0>"
