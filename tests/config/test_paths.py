"""What a job's files are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchmill.paths import JobPaths


@pytest.mark.parametrize(
    ("output", "ledger", "errors"),
    [
        ("out.jsonl", "out.ledger", "out.errors.jsonl"),
        ("dir/out.jsonl.gz", "dir/out.ledger", "dir/out.errors.jsonl"),
        ("out.csv", "out.ledger", "out.errors.jsonl"),
        ("out.JSONL.ZST", "out.ledger", "out.errors.jsonl"),
        ("results.v2.jsonl", "results.v2.ledger", "results.v2.errors.jsonl"),
        ("out", "out.ledger", "out.errors.jsonl"),
        ("out.2024", "out.2024.ledger", "out.2024.errors.jsonl"),
        (".jsonl", ".jsonl.ledger", ".jsonl.errors.jsonl"),
    ],
)
def test_the_files_of_a_job_are_named_after_its_output(output, ledger, errors):
    paths = JobPaths.of(output)

    assert (Path(ledger), Path(errors)) == (paths.ledger, paths.errors)
    assert Path(f"{ledger}.lock") == paths.lock
    assert Path(output) == paths.output


def test_an_errors_file_may_lie_elsewhere_and_the_ledger_stays_beside_the_output():
    paths = JobPaths.of("a/out.jsonl", "b/bad.jsonl")

    assert Path("b/bad.jsonl") == paths.errors
    assert Path("a/out.ledger") == paths.ledger
