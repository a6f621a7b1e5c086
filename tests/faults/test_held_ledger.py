"""Somebody else has the ledger open: to read it, or to write to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from batchmill.ledger import connecting
from faults.little import adds_up


def test_a_reader_that_never_ends_disturbs_nobody(little):
    little.write(*[{"id": n} for n in range(50)])
    little.run(limit=5)
    with closing(sqlite3.connect(little.ledger)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM job").fetchall()

        report = little.run(commit_every_s=0, concurrency=1)

        assert (report.state, report.succeeded) == ("completed", 50)
    assert little.run().called == 0


def test_a_ledger_that_is_locked_while_the_job_runs_stops_it_and_loses_nothing(little, monkeypatch):
    monkeypatch.setattr(connecting, "BUSY_TIMEOUT_S", 0.05)
    little.write(*[{"id": n} for n in range(50)])
    with closing(sqlite3.connect(little.ledger, isolation_level=None)) as other:

        async def task(record):
            if record["id"] == 20:
                other.execute("BEGIN IMMEDIATE")
            return record

        report = little.run(task, commit_every_s=0, concurrency=1)
        other.execute("ROLLBACK")

    assert (report.state, report.exit_code) == ("aborted", 1)
    assert "held by another process" in report.reason
    assert "hint: " in report.reason
    assert adds_up(report)
    assert little.run().succeeded == 50
    assert sorted(r["id"] for r in little.results()) == list(range(50))
