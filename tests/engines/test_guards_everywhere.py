"""In every engine the guards judge outcomes one by one, in the order in which they end."""

from __future__ import annotations

import pytest

from batchmill import Job, Retry, run
from batchmill.core.guard import LEAST_WINDOW
from batchmill.engines.work import FAILURES_RUNNING

ENGINES = ["async", "thread", "process"]
CONCURRENCY = 3
ONCE = Retry(max_attempts=1)


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Run a task, given by its body, over numbers; returns report and number of calls."""

    def judged(body, count=3000, *, engine, **fields):
        calls = tmp_path / "calls"
        task = tmp_path / "task_of_numbers.py"
        define = "async def" if engine == "async" else "def"
        task.write_text(
            f"import os\ncalls = os.open({str(calls)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
            f"{define} process_record(n):\n    os.write(calls, b'.')\n    {body}\n"
            "    return {'n': n}\n"
        )
        more = {"workers": CONCURRENCY} if engine == "process" else {"concurrency": CONCURRENCY}
        source = tmp_path / "in.jsonl"
        source.write_text("".join(f"{n}\n" for n in range(count)))
        report = run(Job(source=source, sink=tmp_path / "out.jsonl", task=task, engine=engine,
                         **more, **fields))  # fmt: skip
        return report, calls.stat().st_size

    return judged


@pytest.mark.parametrize("engine", ENGINES)
def test_no_more_dead_letters_are_written_than_are_allowed(judged, engine):
    report, _ = judged("if n % 3: raise ValueError(n)", engine=engine, max_failures=5)

    assert ("aborted", 6) == (report.state, report.failed)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_broken_setting_is_noticed_though_records_take_no_time(judged, engine):
    report, calls = judged("raise ValueError", engine=engine, systemic_after=25)

    assert ("aborted", 0) == (report.state, report.failed)
    assert calls <= 25 + 2 * CONCURRENCY * FAILURES_RUNNING


@pytest.mark.parametrize("engine", ENGINES)
def test_a_service_that_goes_away_in_the_middle_ends_the_run(judged, engine):
    report, calls = judged("if n >= 1000: raise ConnectionError", engine=engine, retry=ONCE)

    assert ("aborted", 1000) == (report.state, report.succeeded)
    assert "outside" in report.reason
    # Each slot may end with successes that began before, and so begin the window anew.
    assert report.failed < 2 * CONCURRENCY * LEAST_WINDOW
    assert calls < 1000 + 3 * CONCURRENCY * LEAST_WINDOW


@pytest.mark.parametrize("engine", ENGINES)
def test_failures_with_successes_in_between_are_not_taken_for_a_row(judged, engine):
    report, _ = judged("if n % 2: raise ConnectionError", 400, engine=engine, retry=ONCE)

    assert ("completed", 200, 200) == (report.state, report.succeeded, report.failed)


@pytest.mark.parametrize("engine", ENGINES)
def test_failures_of_the_data_never_end_a_run_from_its_middle_on(judged, engine):
    report, _ = judged("if n >= 100: raise ValueError(n)", 600, engine=engine)

    assert ("completed", 100, 500) == (report.state, report.succeeded, report.failed)
