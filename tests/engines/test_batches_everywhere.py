"""process_batch means the same on the loop, in threads and in worker processes."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest

from batchmill import Retry
from batchmill.cli.app import invoke
from faults.conftest import little

__all__ = ["little"]

ENGINES = ["async", "thread", "process"]
TRIES = Retry(max_attempts=2, wait_min_s=0.001, wait_max_s=0.002)

TASK = """\
import ctypes, os, time
import batchmill
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

{define} process_batch(records):
    ids = [record["id"] for record in records]
    os.write(notes, (repr(ids) + "\\n").encode())
    {act}
    return records
"""


@pytest.fixture
def bulk(little):
    """Runs a batch task that does this, and returns the report and the ids of each call."""
    notes = little.folder / "calls"

    def run(act, engine, *, records=40, **options):
        define = "async def" if engine == "async" else "def"
        task = little.folder / "task.py"
        task.write_text(TASK.format(notes=str(notes), define=define, act=act))
        little.write(*({"id": n} for n in range(records)))
        options = {"workers": 2, "concurrency": 2, "batch_size": 8, "retry": TRIES} | options
        report = little.run(str(task), engine=engine, **options)
        lines = notes.read_text().splitlines() if notes.exists() else []
        return report, [json.loads(line) for line in lines]

    return run


def ids(little):
    return sorted(result["id"] for result in little.results())


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_are_full_but_for_the_last_and_a_limit_cuts_it(little, bulk, engine):
    report, calls = bulk("pass", engine, records=2000, batch_size=300, limit=1000)

    assert Counter({300: 3, 100: 1}) == Counter(map(len, calls))
    assert ("incomplete", 1000) == (report.state, report.succeeded)
    assert list(range(1000)) == ids(little)


@pytest.mark.parametrize("engine", ENGINES)
def test_poison_is_found_by_halves(little, bulk, engine):
    _report, calls = bulk("if {5, 20} & set(ids): raise ValueError('poison')", engine)

    assert {5: "ValueError", 20: "ValueError"} == little.failed()
    assert [n for n in range(40) if n not in (5, 20)] == ids(little)
    assert Counter({8: 5, 4: 4, 2: 4, 1: 4}) == Counter(map(len, calls))
    assert {4} == {letter["attempts"] for letter in little.letters()}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_transient_failure_is_tried_again_together(little, bulk, engine):
    act = f"if 5 in ids and open({str(little.folder / 'calls')!r}).read().count('[0,') == 1: "
    report, calls = bulk(act + "raise batchmill.Transient('busy')", engine)

    assert ("completed", 40) == (report.state, report.succeeded)
    assert 2 == sum(call == list(range(8)) for call in calls)
    assert {8} == set(map(len, calls))


@pytest.mark.parametrize("engine", ENGINES)
def test_wrong_results_are_told_and_not_halved(little, bulk, engine):
    _report, calls = bulk("if 5 in ids: return records[1:]", engine)

    assert dict.fromkeys(range(8), "WrongResult") == little.failed()
    assert 5 == len(calls)


@pytest.mark.parametrize("engine", ENGINES)
def test_results_may_be_exceptions_none_lists_and_what_cannot_be_encoded(little, bulk, engine):
    act = """return [
        [ValueError("odd"), None, [record, record], {"id": float("nan")}, record][record["id"] % 5]
        for record in records]"""

    report, calls = bulk(act, engine)

    assert (24, 8, 16) == (report.succeeded + report.filtered, report.filtered, report.failed)
    assert Counter({"ValueError": 8, "UnencodableResult": 8}) == report.errors_by_type
    assert sorted([n for n in range(40) if n % 5 == 2] * 2 + [n for n in range(40) if n % 5 == 4]) \
        == ids(little)  # fmt: skip
    assert 5 == len(calls)


@pytest.mark.parametrize("engine", ENGINES)
def test_blank_and_broken_lines_are_left_out_of_the_call(little, bulk, engine):
    task = little.folder / "task.py"
    task.write_text("def process_batch(records):\n    return records\n")
    little.write({"id": 0}, b"", {"id": 2}, b"{broken", {"id": 4})

    report = little.run(str(task), engine=engine, batch_size=5, workers=1)

    assert [0, 2, 4] == ids(little)
    assert {3: "InvalidRecord"} == little.failed()
    assert 4 == report.read


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", ["pandas", "arrow", "polars"])
def test_batches_come_in_the_form_that_was_asked_for(little, engine, form):
    pytest.importorskip({"arrow": "pyarrow"}.get(form, form))
    task = little.folder / "task.py"
    task.write_text("def process_batch(frame):\n    assert len(frame) in (8, 4), len(frame)\n"
                    "    return frame\n")  # fmt: skip
    little.write(*({"id": n, "text": f"t{n}", "big": 2**60 + n} for n in range(20)))

    report = little.run(str(task), engine=engine, batch_size=8, batch_format=form, workers=2)

    assert "completed" == report.state
    assert [{"id": n, "text": f"t{n}", "big": 2**60 + n} for n in range(20)] == sorted(
        little.results(), key=lambda result: result["id"]
    )


@pytest.mark.parametrize("act", ["ctypes.string_at(0)", "os._exit(3)", "os.closerange(3, 4096)"])
def test_of_a_batch_that_kills_its_worker_only_the_record_that_does_it_fails(little, bulk, act):
    _report, _calls = bulk(f"if 13 in ids: {act}", "process")

    assert {13: "WorkerDied"} == little.failed()
    assert [n for n in range(40) if n != 13] == ids(little)
    assert 0 == invoke(["verify", str(little.output)])


def test_of_a_batch_that_hangs_only_the_record_that_does_it_fails(little, bulk):
    _report, _calls = bulk(
        "if 13 in ids: time.sleep(3600)", "process", timeout_s=0.3, batch_size=4,
        retry=Retry(max_attempts=1),
    )  # fmt: skip

    assert {13: "TimedOut"} == little.failed()
    assert [n for n in range(40) if n != 13] == ids(little)


def test_rate_counts_calls_in_workers_too(little, bulk):
    _report, calls = bulk("os.write(notes, b'%d\\n' % (time.monotonic_ns()))", "process",
                         records=64, rate="20/s")  # fmt: skip

    began = sorted(each for each in calls if isinstance(each, int))
    assert 8 == len(began)
    assert min(b - a for a, b in itertools.pairwise(began)) > 0
    assert began[-1] - began[0] > 6.5 / 20 * 1e9
