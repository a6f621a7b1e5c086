"""A disk that is really full, and a file that may not grow any more."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from crash.work import make_source
from faults.test_bad_paths import mount


def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing(lab, tmp_path):
    trial = lab.trial(make_source(1500, seed=4), job={"commit_every_s": 0.01}, pause_s=0.0005)
    if not mount(trial.home, "size=200k"):
        pytest.skip("only root may mount")
    try:
        ends = [trial.run()]
        assert ends[0].code == 1
        assert "No space left on device" in ends[0].message or "is full" in ends[0].message
        assert "make room" in ends[0].message
        ends.append(trial.run())
        subprocess.run(["mount", "-o", "remount,size=20m", trial.home], check=True)
        ends.append(trial.run())
        assert [end.problems for end in ends] == [[], [], []]
        assert [end.code for end in ends] == [1, 1, 3]
        assert trial.verdict(report=ends[-1].report).problems == []
    finally:
        subprocess.run(["umount", trial.home], check=True)


@pytest.mark.parametrize("limit", [500, 1000, 5_000, 20_000, 60_000, 100_000])
@pytest.mark.parametrize("sink", ["out.jsonl", "out.jsonl.gz"])
def test_a_file_that_may_not_grow_stops_the_run_and_loses_nothing(lab, limit, sink):
    trial = lab.trial(make_source(800, seed=4), sink, job={"commit_every_s": 0.01}, pause_s=0.0005)

    first = trial.run(file_limit=limit)

    assert first.code == 1 or (first.code == 3 and sink == "out.jsonl.gz")
    assert first.problems == []
    if trial.output.exists() and first.report:
        assert trial.verdict(complete=False, report=first.report).problems == []
    last = replace(trial).run()
    assert last.problems == []
    assert last.code == 3
    assert trial.verdict(report=last.report).problems == []
