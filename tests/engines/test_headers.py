"""A worker that starts late reads CSV as the driver does, whatever became of the file."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from batchmill import Job, run


def replace_the_input(record):
    """The first time record 100 is called, the file is replaced by one with its columns the other
    way round, and the worker dies."""
    flag = Path(record["b"])
    if record["a"] == "100" and not flag.exists():
        flag.touch()
        flag.with_name("in.csv").rename(flag.with_name("old.csv"))
        flag.with_name("in.csv").write_text("b,a\n1,2\n")
        os._exit(1)
    return record


def test_a_successor_goes_by_the_header_that_the_driver_has_read(tmp_path):
    flag = tmp_path / "flag"
    rows = "".join(f"{n},{flag}\n" for n in range(200))
    (tmp_path / "in.csv").write_text(f"a,b\n{rows}")

    report = run(
        Job(source=tmp_path / "in.csv", task=replace_the_input, sink=tmp_path / "out.csv",
            engine="process", workers=1)
    )  # fmt: skip

    with (tmp_path / "out.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert (report.state, report.succeeded) == ("completed", 200)
    assert {str(n) for n in range(200)} == {row["a"] for row in written}
    assert {str(flag)} == {row["b"] for row in written}
