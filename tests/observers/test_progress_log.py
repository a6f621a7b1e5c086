"""A nightly log shows a run's progress, and stays short."""

from __future__ import annotations

import logging

from batchmill.events import Progressed, RunStarted
from batchmill.observers.progress_log import PROGRESS, ProgressLog
from batchmill.observers.run_log import RunLog
from batchmill.testing import ObserverContract

STARTED = RunStarted("job", 1, 0, 0, 50, "async")


class TestProgressLog(ObserverContract):
    def make(self):
        return ProgressLog()


class TestRunLog(ObserverContract):
    def make(self):
        return RunLog("a setting")


def lines_at(caplog, moments):
    """When a line was logged, of a run that tells its progress at these moments."""
    log = ProgressLog()
    log.on_event(STARTED)
    with caplog.at_level(logging.INFO, PROGRESS):
        for moment in moments:
            log.on_event(Progressed(elapsed_s=moment))
    return [line.facts["elapsed_s"] for line in caplog.records]


def test_lines_come_ever_more_rarely(caplog):
    logged = lines_at(caplog, [n / 4 for n in range(4 * 4000)])

    assert logged[:7] == [1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0]
    assert logged[9:12] == [30.0, 60.0, 90.0]
    assert len(logged) == 80


def test_a_run_that_is_over_at_once_logs_no_progress(caplog):
    assert lines_at(caplog, [0.0, 0.25, 0.5, 0.75]) == []


def test_a_line_carries_its_numbers_for_machines(caplog):
    lines_at(caplog, [1.5])

    facts = caplog.records[0].facts
    assert {"succeeded", "failed", "eta_s", "in_flight", "rate_per_s"} <= facts.keys()
