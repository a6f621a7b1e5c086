"""Results in memory: everything a run committed, in order, and what was settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchmill import Job, run
from batchmill.records import Commit, Counts, DeadLetter, Failure, OutcomeCode
from batchmill.sinks.memory import MemoryStore

WITH_ROWS = OutcomeCode.WITH_ROWS
LETTER = DeadLetter(
    seq=2, raw=b"{}", failure=Failure("ValueError", "no", "", ("builtins.ValueError",)),
    attempts=1, first_at="2026-01-01T00:00:00+00:00", last_at="2026-01-01T00:00:00+00:00",
)  # fmt: skip


def test_commits_add_up():
    store = MemoryStore()

    store.commit(Commit(chunks=[[{"n": 0}], [{"n": 1}, {"n": 1.5}]], settled=[(0, 2, WITH_ROWS)],
                        counts=Counts(succeeded=2)))  # fmt: skip
    store.commit(Commit(chunks=[[{"n": 3}]], settled=[(2, 5, WITH_ROWS)], dead_letters=[LETTER],
                        counts=Counts(succeeded=1, filtered=1, failed=1)))  # fmt: skip

    assert [{"n": 0}, {"n": 1}, {"n": 1.5}, {"n": 3}] == store.results
    assert [LETTER] == store.letters
    assert Counts(succeeded=3, filtered=1, failed=1) == store.counts
    assert 5 == store.progress.low_water


def test_nothing_is_left_over_from_an_earlier_run():
    store = MemoryStore()

    assert [] == list(store.requeued())
    assert ([], [], Counts()) == (store.results, store.letters, store.counts)


@given(st.lists(st.lists(st.integers(), max_size=3), max_size=8), st.randoms())
def test_what_is_settled_in_any_order_is_settled_once(chunks, draw):
    store = MemoryStore()
    seqs = list(range(len(chunks)))
    draw.shuffle(seqs)

    for seq in seqs:
        store.commit(Commit(chunks=[chunks[seq]], settled=[(seq, seq + 1, WITH_ROWS)],
                            counts=Counts(succeeded=1)))  # fmt: skip

    assert len(chunks) == store.progress.low_water == store.counts.succeeded
    assert [item for seq in seqs for item in chunks[seq]] == store.results


def test_a_result_is_kept_as_it_is_and_not_copied():
    store = MemoryStore()
    result = object()

    store.commit(Commit(chunks=[[result]], settled=[(0, 1, WITH_ROWS)]))

    assert result is store.results[0]


def of_every_kind(record):
    if record == 1:
        return None
    if record == 2:
        raise ValueError("no")
    return [{"n": record}, {"n": -record}] if record == 3 else {"n": record}


def test_a_job_without_a_sink_reports_its_results_and_dead_letters():
    report = run(Job(source=range(5), task=of_every_kind, order="input"))

    assert [{"n": 0}, [{"n": 3}, {"n": -3}], {"n": 4}] == report.results
    assert (5, 3, 1, 1) == (report.read, report.succeeded, report.filtered, report.failed)
    assert {"ValueError": 1} == report.errors_by_type


def test_what_no_file_could_carry_is_a_result_in_memory():
    report = run(Job(source=[1], task=lambda record: {"set": {record}, "nan": float("inf")}))

    assert [{"set": {1}, "nan": float("inf")}] == report.results
