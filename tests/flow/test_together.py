"""Calls for several records: how large they are, and how the poison in one is found."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage import Stage, after

from batchmill import ConfigError, Retry, Transient
from batchmill.sources.iterable import ITEMS

TRIES = Retry(max_attempts=3, wait_min_s=1.0, wait_max_s=1.0)


class Bulk:
    """A task that notes when it is called with what, and leaves each call to `act`."""

    def __init__(self, act=None, lasts_s=0.1):
        self.calls = []
        self.begun_at = []
        self.act = act or (lambda records: records)
        self.lasts_s = lasts_s

    async def process_batch(self, records):
        self.calls.append(list(records))
        self.begun_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.lasts_s)
        return self.act(records)

    @property
    def sizes(self):
        return [len(call) for call in self.calls]


def poisoned(*poison):
    """Raises for a batch with any of these in it."""

    def act(records):
        found = set(records) & set(poison)
        if found:
            raise ValueError(f"poison: {sorted(found)}")
        return records

    return act


def play(bulk, items, *others, **settings):
    task = SimpleNamespace(process_batch=bulk.process_batch)
    settings = {"batch_size": 8, "concurrency": 1, "systemic_after": 0, "retry": TRIES} | settings
    return Stage(task, items, **settings).play(*others)


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_batches_are_full_but_for_the_last_also_where_the_source_comes_in_blocks(size, slots):
    count = 3 * ITEMS + 5
    bulk = Bulk()

    stage = play(bulk, iter(range(count)), batch_size=size, concurrency=slots)

    full, rest = divmod(count, size)
    assert [size] * full + [rest] * bool(rest) == bulk.sizes
    assert list(range(count)) == [record for call in bulk.calls for record in call]
    assert list(range(count)) == sorted(stage.results)


@pytest.mark.parametrize(("limit", "sizes"), [(20, [8, 8, 4]), (3, [3]), (8, [8]), (0, [])])
def test_a_limit_cuts_the_last_batch(limit, sizes):
    bulk = Bulk()

    stage = play(bulk, range(100), limit=limit)

    assert sizes == bulk.sizes
    assert limit == len(stage.results)


def test_one_poison_record_is_found_with_two_calls_for_each_halving():
    bulk = Bulk(poisoned(5))

    stage = play(bulk, range(8))

    assert [8, 4, 4, 2, 2, 1, 1] == bulk.sizes
    assert [5] == stage.failed
    assert [0, 1, 2, 3, 4, 6, 7] == sorted(stage.results)
    assert [4] == [letter.attempts for letter in stage.letters]


def test_three_poison_records_are_found():
    bulk = Bulk(poisoned(0, 5, 6))

    stage = play(bulk, range(8))

    assert [0, 5, 6] == sorted(stage.failed)
    assert [1, 2, 3, 4, 7] == sorted(stage.results)
    assert 1 + 2 + 4 + 6 == len(bulk.calls)


def test_halves_are_called_without_waiting_and_without_fresh_records_among_them():
    bulk = Bulk(poisoned(5))

    play(bulk, range(24))

    halves = [call for call in bulk.calls if len(call) < 8]
    assert all(set(call) <= set(range(8)) for call in halves)
    gaps = [late - early for early, late in zip(bulk.begun_at, bulk.begun_at[1:], strict=False)]
    assert max(gaps) < 2 * bulk.lasts_s


def test_a_transient_failure_is_tried_again_for_the_whole_batch():
    failures = iter([Transient("not yet"), Transient("not yet")])

    def act(records):
        error = next(failures, None)
        if error:
            raise error
        return records

    bulk = Bulk(act)

    stage = play(bulk, range(8))

    assert [list(range(8))] * 3 == bulk.calls
    assert list(range(8)) == sorted(stage.results)


def test_a_transient_failure_that_stays_is_narrowed_down_when_the_attempts_are_used_up():
    def act(records):
        if 3 in records:
            raise Transient("3 is not there yet")
        return records

    bulk = Bulk(act)

    stage = play(bulk, range(8))

    assert [8, 8, 8, 4, 4, 2, 2, 1, 1] == bulk.sizes
    assert {3: 6} == {letter.seq: letter.attempts for letter in stage.letters}
    assert [0, 1, 2, 4, 5, 6, 7] == sorted(stage.results)


def test_what_is_being_narrowed_down_is_not_mixed_with_what_is_tried_again():
    """0 to 7 wait for another attempt while 8 to 15 are halved."""
    failures = iter([Transient("not yet")])

    def act(records):
        if 0 in records and next(failures, None):
            raise Transient("not yet")
        return poisoned(9)(records)

    bulk = Bulk(act)

    stage = play(bulk, range(40), concurrency=2)

    assert [9] == stage.failed
    groups = [{record // 8 for record in call} for call in bulk.calls]
    assert all(len(group) == 1 for group in groups)


@pytest.mark.parametrize(
    ("result", "says"),
    [([], "0 results"), (list(range(9)), "9 results"), (None, ""), ("abcdefgh", ""), (5, "")],
)
def test_a_wrong_number_of_results_fails_all_records_of_the_call_and_is_not_halved(result, says):
    bulk = Bulk(lambda _: result)

    stage = play(bulk, range(8))

    assert 1 == len(bulk.calls)
    assert list(range(8)) == sorted(stage.failed)
    assert {"WrongResult"} == {letter.failure.type for letter in stage.letters}
    assert all(says in letter.failure.message for letter in stage.letters)


def test_exceptions_and_none_among_the_results_are_the_fate_of_their_records_only():
    def act(records):
        return [ValueError("odd") if n % 2 else None if n == 4 else n for n in records]

    bulk = Bulk(act)

    stage = play(bulk, range(8))

    assert 1 == len(bulk.calls)
    assert [1, 3, 5, 7] == sorted(stage.failed)
    assert [0, 2, 6] == sorted(stage.results)


def test_a_transient_exception_among_the_results_is_tried_again_for_its_records_only():
    seen = []

    def act(records):
        seen.append(list(records))
        first = len(seen) == 1
        return [Transient("busy") if first and n in (2, 6) else n for n in records]

    bulk = Bulk(act)

    stage = play(bulk, range(8))

    assert list(range(8)) == sorted(stage.results)
    assert [2, 6] == sorted(record for call in seen[1:] for record in call)


def test_the_rate_counts_calls():
    bulk = Bulk(lasts_s=0.0)

    play(bulk, range(80), rate="60/min", concurrency=4)

    began = [at - bulk.begun_at[0] for at in bulk.begun_at]
    assert pytest.approx([float(n) for n in range(10)], abs=0.05) == began


def test_the_rate_counts_halves_as_calls_too():
    bulk = Bulk(poisoned(5), lasts_s=0.0)

    play(bulk, range(16), rate="60/min", concurrency=4)

    gaps = [late - early for early, late in zip(bulk.begun_at, bulk.begun_at[1:], strict=False)]
    assert min(gaps) > 0.95
    assert 8 == len(bulk.calls)


def test_a_batch_that_is_late_is_tried_again_as_a_whole_and_then_narrowed_down():
    async def process_batch(records):
        calls.append(len(records))
        await asyncio.sleep(99 if 5 in records else 0.1)
        return records

    calls = []
    stage = Stage(SimpleNamespace(process_batch=process_batch), range(8), batch_size=8,
                  concurrency=1, timeout_s=1.0, systemic_after=0,
                  retry=Retry(max_attempts=2, wait_min_s=0.1)).play()  # fmt: skip

    assert [8, 8, 4, 4, 2, 2, 1, 1] == calls
    assert {"TimedOut"} == {letter.failure.type for letter in stage.letters}
    assert [5] == stage.failed


def test_stopping_leaves_halves_pending():
    bulk = Bulk(poisoned(5), lasts_s=1.0)

    stage = play(bulk, range(8), after(1.5, lambda stage: stage.stop.drain("enough")))

    assert [8, 4] == bulk.sizes
    assert ([0, 1, 2, 3], []) == (sorted(stage.results), stage.failed)


def test_an_error_that_stops_the_run_is_no_failure_of_the_batch():
    def act(records):
        raise ConfigError("the setting is wrong")

    stage = play(Bulk(act), range(8))

    assert ([], []) == (stage.results, stage.failed)
    assert isinstance(stage.stop.error, ConfigError)


@given(
    count=st.integers(0, 60),
    size=st.integers(1, 20),
    slots=st.integers(1, 4),
    poison=st.sets(st.integers(0, 59), max_size=12),
    flaky=st.sets(st.integers(0, 59), max_size=6),
    order=st.sampled_from(["completion", "input"]),
)
def test_whatever_is_poison_only_that_fails_and_all_else_has_one_result(
    count, size, slots, poison, flaky, order
):
    passed = set()

    def act(records):
        late = (set(records) & flaky) - passed
        passed.update(late)
        if late:
            raise Transient("not yet")
        return poisoned(*poison)(records)

    bulk = Bulk(act)

    stage = play(bulk, range(count), batch_size=size, concurrency=slots, order=order,
                 retry=Retry(max_attempts=10, wait_min_s=0.3, wait_max_s=2.0))  # fmt: skip

    bad = poison & set(range(count))
    good = [n for n in range(count) if n not in bad]
    assert stage.error is None
    assert bad == set(stage.failed)
    assert len(bad) == len(stage.failed)
    assert good == (stage.results if order == "input" else sorted(stage.results))
    assert all(len(call) <= size for call in bulk.calls)
