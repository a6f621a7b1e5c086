from __future__ import annotations

from math import inf

import pytest

from batchmill.core.batch_patience import Patience


def taught(slots: float, *, fixed_s: float, item_s: float, gap_s: float) -> Patience:
    """After 60 batches of 1 to 20 items."""
    patience = Patience(slots)
    for n in range(60):
        patience.arrived(n * gap_s)
        size = 1 + n % 20
        patience.ran(size, fixed_s + item_s * size)
    patience.started(100.0)
    return patience


def test_it_learns_what_a_batch_costs_besides_its_items():
    patience = taught(4, fixed_s=0.02, item_s=0.001, gap_s=0.001)

    assert patience.fixed_s() == pytest.approx(0.02)


def test_under_load_starts_are_spaced_by_the_fixed_cost_shared_by_the_slots():
    patience = taught(4, fixed_s=0.02, item_s=0.001, gap_s=0.001)

    assert patience.next_at() == pytest.approx(100.0 + 0.02 / 4)


@pytest.mark.parametrize("slots", [1, inf])
def test_one_slot_is_never_kept_idle_and_neither_is_any_of_infinitely_many(slots):
    assert taught(slots, fixed_s=0.02, item_s=0.001, gap_s=0.001).next_at() == -inf


def test_without_load_nothing_waits():
    assert taught(4, fixed_s=0.02, item_s=0.001, gap_s=1.0).next_at() == -inf


def test_where_items_are_all_the_cost_nothing_waits_worth_mentioning():
    patience = taught(4, fixed_s=0.0, item_s=0.01, gap_s=0.001)

    assert patience.next_at() == pytest.approx(100.0)


def test_before_the_first_batch_has_ended_nothing_waits():
    patience = Patience(4)
    patience.arrived(1.0)
    patience.arrived(1.1)
    patience.started(1.1)

    assert patience.fixed_s() == 0.0
    assert patience.next_at() == -inf


def test_batches_of_one_size_are_taken_to_cost_the_same_whatever_their_size():
    patience = Patience(4)
    for _ in range(5):
        patience.ran(10, 0.5)

    assert patience.fixed_s() == pytest.approx(0.5)


def test_an_item_never_costs_less_than_nothing():
    patience = Patience(4)
    for size, run_s in ((1, 0.5), (20, 0.1), (1, 0.5), (20, 0.1)):
        patience.ran(size, run_s)

    assert 0.1 <= patience.fixed_s() <= 0.5


def test_what_was_learned_fades():
    patience = taught(4, fixed_s=0.02, item_s=0.001, gap_s=0.001)
    for n in range(200):
        patience.ran(1 + n % 20, 0.5)

    assert patience.fixed_s() == pytest.approx(0.5, rel=0.01)
