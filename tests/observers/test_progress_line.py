"""One line says where a run stands."""

from __future__ import annotations

from batchmill.events import Progressed
from batchmill.observers.progress_line import line_of
from batchmill.records import Counts

NOW = Progressed(
    elapsed_s=10.0,
    counts=Counts(succeeded=1200, filtered=3, failed=4),
    retries=12,
    in_flight=50,
    waiting=2,
    already_settled=9000,
    fraction=0.425,
    rate_per_s=120.7,
    eta_s=83.2,
)


def test_a_line_tells_this_run_apart_from_the_ones_before():
    assert line_of(NOW) == (
        "42%, 1,207 done after 9,000 before, 1,200 succeeded, 4 failed, 3 filtered, 12 retried,"
        " 121/s, 1:24 min left, 50 in flight, 2 waiting"
    )


def test_what_is_not_known_is_left_out():
    assert line_of(Progressed(1.0)) == (
        "0 done, 0 succeeded, 0 failed, 0 filtered, 0 retried, 0.0/s, 0 in flight"
    )


def test_a_known_total_gives_share_and_time_where_the_source_gives_none():
    now = Progressed(1.0, counts=Counts(succeeded=25), rate_per_s=5.0)

    assert line_of(now, total=100).startswith("25%, 25 done")
    assert "15 s left" in line_of(now, total=100)


def test_the_oldest_call_is_named_once_it_takes_long():
    quick = Progressed(1.0, oldest_seq=7, oldest_s=9.0)
    slow = Progressed(1.0, oldest_seq=7, oldest_s=34.0)

    assert "seq 7" not in line_of(quick)
    assert line_of(slow).endswith("seq 7 running for 34.0 s")
