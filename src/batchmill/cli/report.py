"""`batchmill report`: what did a run do?"""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ConfigError
from ..files.atomic import atomic_write
from ..ledger.reading import LedgerState, Run, read_ledger
from . import options
from .found import find_job
from .output import put, put_facts, put_json, say
from .table import facts_of, title_of

_EXAMPLES = """\b
TARGET is what was run, or the output of a job that has run.

\b
Examples:
  batchmill report job.toml                    the last run
  batchmill report out.jsonl --run 3
  batchmill report job.toml --all              one line a run
  batchmill report job.toml --html run.html
"""


@click.command("report", epilog=_EXAMPLES)
@options.target
@options.files
@click.option("--run", "number", type=int, metavar="N", help="The run with this number. [the last]")
@click.option("--all", "every", is_flag=True, help="All runs, the last one first.")
@options.as_json
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to this file."
)
def command(
    target: str,
    *,
    number: int | None,
    every: bool,
    as_json: bool,
    html: Path | None,
    **fields: str | None,
) -> None:
    """Report on a run of a job."""
    with read_ledger(find_job(target, fields).paths.ledger) as ledger:
        runs = list(ledger.runs()) if every else [_chosen(ledger, number)]
        if html:
            _write_page(html, ledger.name, runs)
        elif as_json:
            for run in runs:
                put_json(_plain(run))
        elif every:
            for run in runs:
                put(_line(run))
        else:
            _put(runs[0])


def _chosen(ledger: LedgerState, number: int | None) -> Run:
    for run in ledger.runs():
        if number in (None, run.number):
            return run
    raise ConfigError(f"there is no run {number}", hint="batchmill report --all lists them")


def _put(run: Run) -> None:
    if run.report is None:
        raise ConfigError(f"run {run.number} left no report: it was killed, or is still active",
                          hint="batchmill status")  # fmt: skip
    put_facts(f"run {run.number}, {title_of(run.report)}", facts_of(run.report))


def _line(run: Run) -> str:
    head = f"{run.number:>4}  {run.started_at}"
    report = run.report
    if report is None:
        return f"{head}  no report: killed, or still active"
    counts = ", ".join(
        f"{report[name]:,} {name}" for name in ("succeeded", "filtered", "failed", "pending")
    )
    return f"{head}  {report['state']:<10}  {counts}"


def _plain(run: Run) -> dict[str, object]:
    facts = {"run": run.number, "started_at": run.started_at, "ended_at": run.ended_at,
             "host": run.host, "pid": run.pid, "batchmill": run.version}  # fmt: skip
    return {**facts, **(run.report or {"state": None})}


def _write_page(path: Path, name: str, runs: list[Run]) -> None:
    from .report_page import page_of

    with atomic_write(path) as file:
        file.write(page_of(name, runs).encode())
    say(f"wrote {path}")
