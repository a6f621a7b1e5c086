"""A run that gives no result for any record says that a `return` may be missing."""

from __future__ import annotations

import json
import logging

import pytest

from batchmill import Job, run
from batchmill.flow.closing import SUSPICIOUS
from small_jobs import write

FORGETFUL = """\
def process_record(record):
    record["done"] = True
    {then}
"""


def task(project, then="", records=SUSPICIOUS):
    (project / "task.py").write_text(FORGETFUL.format(then=then))
    write(project, *({"id": n} for n in range(records)))


def test_a_run_of_filtered_records_only_says_so_loudly(project, batchmill):
    task(project)

    ended = batchmill("run", "job.toml")

    assert 0 == ended.code
    assert "  hint          all 20 records were filtered" in ended.out
    assert "rerun --filtered" in ended.out
    assert "WARNING batchmill.notes: all 20 records were filtered" in ended.err
    assert "all 20 records were filtered" in batchmill("report", "job.toml").out


def test_the_hint_is_part_of_the_report_as_json(project, batchmill):
    task(project)

    report = json.loads(batchmill("run", "job.toml", "--json").out)

    assert "completed" == report["state"]
    assert report["hint"].startswith("all 20 records were filtered")


@pytest.mark.parametrize(
    ("then", "records"),
    [
        ("return record if record['id'] == 7 else None", 100),
        ("if record['id'] == 7: raise ValueError", 100),
        ("", SUSPICIOUS - 1),
    ],
)
def test_few_records_and_any_other_outcome_are_no_reason_to_ask(project, batchmill, then, records):
    task(project, then, records)

    ended = batchmill("run", "job.toml")

    assert "were filtered" not in ended.out + ended.err


def test_it_is_logged_where_nobody_watches(caplog):
    with caplog.at_level(logging.WARNING):
        report = run(Job(source=range(30), task=lambda n: None))

    assert "all 30 records were filtered" in report.hint
    assert [report.hint] == [line.getMessage().partition(": ")[2] for line in caplog.records]
