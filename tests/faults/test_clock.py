"""The clock of the machine is set back, again and again, while a job runs."""

from __future__ import annotations

import json
import time

from crash.work import make_source


def test_a_clock_that_runs_backwards_changes_nothing_but_the_times_that_are_written(lab):
    job = {"timeout_s": 5.0, "rate": "2000/s", "commit_every_s": 0.01}
    trial = lab.trial(make_source(120, seed=5), job=job, pause_s=0.001, clock_backwards=True)
    began = time.monotonic()

    end = trial.run()

    took_s = time.monotonic() - began
    assert end.problems == []
    assert end.code == 3
    assert trial.verdict(report=end.report).problems == []
    assert 0 < end.report["duration_s"] < took_s
    assert 0 < end.report["latency_s"]["p99"] < took_s
    letters = (trial.home / "out.errors.jsonl").read_text().splitlines()
    times = [json.loads(line)["first_at"] for line in letters]
    assert max(times) > min(times), "the clock must have been set back"
    again = trial.run()
    assert again.problems == []
    assert trial.verdict(report=again.report).problems == []


def test_a_clock_that_runs_backwards_does_not_keep_a_killed_job_from_going_on(lab):
    trial = lab.trial(
        make_source(60, seed=5), job={"commit_every_s": 0}, pause_s=0.001, clock_backwards=True
    )
    going = trial.start()
    until = time.monotonic() + 20
    while not trial.output.exists() or not trial.output.stat().st_size:
        assert time.monotonic() < until
        time.sleep(0.001)
    going.kill()
    assert going.end().killed

    end = trial.run()

    assert end.problems == []
    assert trial.verdict(report=end.report).problems == []
