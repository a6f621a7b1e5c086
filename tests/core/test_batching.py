from __future__ import annotations

import math
from typing import Any

import pytest

from batchmill.core.batch_lanes import Lanes
from batchmill.core.batch_line import Line
from batchmill.core.batching import Batch, Labels, Limits, Queue, why_now

NOW = 100.0


class Left(set[str]):
    """Who has gone."""

    def __call__(self, caller: str) -> bool:
        return caller in self


def arrive(queue: Queue, *items: str, at: float = NOW, **labels: Any) -> None:
    queue.open(at)
    for item in items:
        queue.add(item, f"who {item}", Labels(**labels))
    queue.shut()


def taken(batch: Batch | None) -> tuple[str, str] | None:
    return batch and ("".join(batch.items), batch.reason)


@pytest.fixture(params=[Line, Lanes])
def kind(request: pytest.FixtureRequest) -> type[Line] | type[Lanes]:
    return request.param


def test_nothing_goes_when_nothing_waits():
    assert why_now(Limits(), 0, 0.0, True, "flush") is None


@pytest.mark.parametrize(
    ("count", "cost", "due", "hurry", "reason"),
    [
        (1, 0.0, False, None, None),
        (3, 9.0, True, "flush", "size"),
        (2, 9.0, True, "flush", "cost"),
        (2, 1.0, True, "flush", "time"),
        (2, 1.0, False, "flush", "flush"),
        (2, 1.0, False, "idle", "idle"),
    ],
)
def test_a_full_batch_is_said_to_be_full_before_anything_else(count, cost, due, hurry, reason):
    limits = Limits(max_batch_size=3, max_batch_cost=9.0)

    assert why_now(limits, count, cost, due, hurry) == reason


def test_items_wait_until_the_oldest_is_due(kind):
    queue = kind(Limits(max_queue_time_s=5.0), Left())
    arrive(queue, "a", at=NOW)
    arrive(queue, "b", at=NOW + 4.0)

    assert queue.due_at() == NOW + 5.0
    assert queue.take(NOW + 4.9, None) is None
    assert taken(queue.take(NOW + 5.0, None)) == ("ab", "time")
    assert queue.due_at() is None


def test_what_is_too_much_for_one_batch_stays_in_order(kind):
    queue = kind(Limits(max_batch_size=2, max_queue_time_s=5.0), Left())
    arrive(queue, *"abcde")

    assert taken(queue.take(NOW, None)) == ("ab", "size")
    assert taken(queue.take(NOW, None)) == ("cd", "size")
    assert queue.take(NOW, None) is None
    assert taken(queue.take(NOW, "flush")) == ("e", "flush")


def test_the_rest_is_due_by_its_own_age(kind):
    queue = kind(Limits(max_batch_size=2, max_queue_time_s=5.0), Left())
    arrive(queue, "a", at=NOW)
    arrive(queue, *"bc", at=NOW + 3.0)

    assert taken(queue.take(NOW + 3.0, None)) == ("ab", "size")
    assert queue.due_at() == NOW + 8.0


def test_a_batch_says_how_long_its_oldest_item_waited(kind):
    queue = kind(Limits(max_queue_time_s=5.0), Left())
    arrive(queue, "a", at=NOW)
    arrive(queue, "b", at=NOW + 1.0)

    batch = queue.take(NOW + 6.0, None)

    assert batch is not None
    assert batch.waited_s == 6.0


def test_an_item_whose_caller_has_gone_is_not_taken_and_its_place_is(kind):
    left = Left()
    queue = kind(Limits(max_batch_size=3), left)
    arrive(queue, *"abcd")
    left.add("who b")

    assert taken(queue.take(NOW, None)) == ("acd", "size")
    assert queue.left == 1
    assert len(queue) == 0


def test_items_whose_callers_have_gone_do_not_fill_a_batch(kind):
    left = Left()
    queue = kind(Limits(max_batch_size=3, max_queue_time_s=5.0), left)
    arrive(queue, *"abc")
    left.update({"who a", "who c"})

    assert queue.take(NOW, None) is None
    assert len(queue) == 1
    assert taken(queue.take(NOW + 5.0, None)) == ("b", "time")


def test_a_queue_of_callers_who_have_gone_is_empty_when_it_is_swept(kind):
    left = Left()
    queue = kind(Limits(), left)
    arrive(queue, *"abc")
    left.update({"who a", "who b"})

    queue.sweep()

    assert len(queue) == 1
    assert taken(queue.take(NOW, "flush")) == ("c", "flush")


def test_clearing_returns_the_callers(kind):
    queue = kind(Limits(max_batch_size=2), Left())
    arrive(queue, *"abc")

    assert sorted(queue.clear()) == ["who a", "who b", "who c"]
    assert len(queue) == 0
    assert queue.due_at() is None


def test_a_line_may_be_appended_to_without_asking_only_within_a_tick_and_its_limits():
    line = Line(Limits(max_batch_size=4), Left(), bound=6)
    assert line.easy == 0

    line.open(NOW)
    assert line.easy == 4
    for item in "abcde":
        line.add(item, item)
    assert line.easy == 2, "two more may come, besides the four that are full"

    line.shut()
    assert line.easy == 0


def test_a_line_has_room_again_when_a_batch_has_gone():
    line = Line(Limits(max_batch_size=2), Left(), bound=4)
    line.open(NOW)
    for item in "abc":
        line.add(item, item)

    line.take(NOW, None)

    assert len(line) == 1
    assert line.easy == 2


def test_groups_never_mix_and_the_oldest_due_goes_first():
    lanes = Lanes(Limits(max_queue_time_s=5.0), Left())
    arrive(lanes, "a", at=NOW, group="x")
    arrive(lanes, "b", at=NOW + 1.0, group="y")
    arrive(lanes, "c", at=NOW + 2.0, group="x")

    assert lanes.due_at() == NOW + 5.0
    assert taken(lanes.take(NOW + 6.0, None)) == ("ac", "time")
    assert taken(lanes.take(NOW + 6.0, None)) == ("b", "time")
    assert lanes.take(NOW + 6.0, None) is None


def test_a_full_group_goes_though_an_older_one_waits():
    lanes = Lanes(Limits(max_batch_size=2, max_queue_time_s=5.0), Left())
    arrive(lanes, "a", at=NOW, group="x")
    arrive(lanes, *"bc", at=NOW + 1.0, group="y")

    batch = lanes.take(NOW + 1.0, None)

    assert taken(batch) == ("bc", "size")
    assert batch is not None
    assert batch.group == "y"


def test_a_group_that_is_due_goes_before_one_that_is_full():
    lanes = Lanes(Limits(max_batch_size=2, max_queue_time_s=5.0), Left())
    arrive(lanes, "a", at=NOW, group="x")
    arrive(lanes, *"bc", at=NOW + 1.0, group="y")

    assert taken(lanes.take(NOW + 5.0, None)) == ("a", "time")


def test_a_group_without_items_is_forgotten():
    lanes = Lanes(Limits(), Left())
    for n in range(100):
        arrive(lanes, "a", at=NOW + n, group=n)
        lanes.take(NOW + n, "flush")

    assert lanes.groups == 0
    assert len(lanes._by_age) <= 1


def test_a_higher_priority_goes_first_and_equal_ones_in_order_of_arrival():
    lanes = Lanes(Limits(max_batch_size=2), Left(), ageing_s=1.0)
    arrive(lanes, *"ab", priority=0)
    arrive(lanes, *"cd", priority=5)

    assert taken(lanes.take(NOW, "flush")) == ("cd", "size")
    assert taken(lanes.take(NOW, "flush")) == ("ab", "size")


def test_an_item_is_overtaken_only_by_what_arrives_within_its_ageing():
    lanes = Lanes(Limits(max_batch_size=1), Left(), ageing_s=2.0)
    arrive(lanes, "a", at=NOW, priority=0)
    arrive(lanes, "b", at=NOW + 9.9, priority=5)
    arrive(lanes, "c", at=NOW + 10.1, priority=5)

    order = [taken(lanes.take(NOW + 11.0, "flush")) for _ in range(3)]

    assert order == [("b", "size"), ("a", "size"), ("c", "size")]


def test_the_next_item_that_would_cost_too_much_waits_for_the_next_batch():
    lanes = Lanes(Limits(max_batch_cost=10.0), Left())
    for item, cost in (("a", 4), ("b", 5), ("c", 3), ("d", 1)):
        arrive(lanes, item, cost=cost)

    assert taken(lanes.take(NOW, None)) == ("ab", "cost")
    assert lanes.take(NOW, None) is None
    assert taken(lanes.take(NOW, "flush")) == ("cd", "flush")


def test_a_padded_batch_costs_its_longest_item_times_its_length():
    lanes = Lanes(Limits(max_batch_cost=12.0, padded=True), Left())
    for item, cost in (("a", 2), ("b", 4), ("c", 3), ("d", 1)):
        arrive(lanes, item, cost=cost)

    assert taken(lanes.take(NOW, None)) == ("abc", "cost")
    assert taken(lanes.take(NOW, "flush")) == ("d", "flush")


def test_a_long_item_that_has_gone_out_no_longer_makes_the_rest_look_costly():
    lanes = Lanes(Limits(max_batch_cost=12.0, padded=True), Left())
    for item, cost in (("a", 12), ("b", 1), ("c", 1)):
        arrive(lanes, item, cost=cost)

    assert taken(lanes.take(NOW, None)) == ("a", "cost")
    assert lanes.take(NOW, None) is None


@pytest.mark.parametrize(
    ("cost", "admitted"), [(0, True), (10, True), (10.5, False), (-1, False), (math.nan, False)]
)
def test_a_cost_is_a_number_from_0_to_the_limit(cost, admitted):
    assert Limits(max_batch_cost=10.0).admits(cost) is admitted


def test_equal_items_share_a_place_and_keep_their_callers():
    lanes = Lanes(Limits(), Left(), share=True)
    lanes.open(NOW)
    for caller, key in (("one", "k"), ("two", "l"), ("three", "k")):
        lanes.add(key, caller, Labels(key=key))

    batch = lanes.take(NOW, "flush")

    assert batch is not None
    assert batch.items == ["k", "l"]
    assert batch.callers == [["one", "three"], ["two"]]


def test_equal_items_of_different_groups_do_not_share():
    lanes = Lanes(Limits(), Left(), share=True)
    lanes.open(NOW)
    lanes.add("k", "one", Labels(key="k", group=1))
    lanes.add("k", "two", Labels(key="k", group=2))

    assert len(lanes) == 2


def test_an_item_goes_as_long_as_one_of_its_callers_is_there():
    left = Left({"one"})
    lanes = Lanes(Limits(), left, share=True)
    lanes.open(NOW)
    lanes.add("k", "one", Labels(key="k"))
    lanes.add("k", "two", Labels(key="k"))

    batch = lanes.take(NOW, "flush")

    assert batch is not None
    assert batch.callers == [["two"]]
    assert lanes.left == 1


def test_an_equal_item_of_higher_priority_lifts_the_one_that_waits():
    lanes = Lanes(Limits(max_batch_size=1), Left(), ageing_s=1.0, share=True)
    lanes.open(NOW)
    lanes.add("a", "one", Labels(key="a"))
    lanes.add("b", "two", Labels(key="b", priority=1))
    lanes.add("a", "three", Labels(key="a", priority=2))

    batch = lanes.take(NOW, None)

    assert batch is not None
    assert batch.items == ["a"]
    assert taken(lanes.take(NOW, None)) == ("b", "size")
    assert lanes.take(NOW, "flush") is None


def test_an_item_that_was_lifted_is_in_its_batch_once():
    lanes = Lanes(Limits(), Left(), ageing_s=1.0, share=True)
    lanes.open(NOW)
    lanes.add("a", "one", Labels(key="a"))
    lanes.add("a", "two", Labels(key="a", priority=2))

    batch = lanes.take(NOW, "flush")

    assert batch is not None
    assert batch.items == ["a"]
    assert len(lanes) == 0


def test_an_old_item_of_low_priority_does_not_keep_the_others_in_memory():
    lanes = Lanes(Limits(max_batch_size=1), Left(), ageing_s=1.0)
    arrive(lanes, "old", priority=-1e9)
    for n in range(1000):
        arrive(lanes, "a", at=NOW + n)
        lanes.take(NOW + n, None)

    (lane,) = lanes._lanes
    assert len(lane._by_age) < 100
