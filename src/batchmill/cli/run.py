"""`batchmill run`: run a job, or go on with it."""

from __future__ import annotations

from typing import Any

import click

from ..config.target import load_target
from . import options
from .running import Manner, run_and_show

_EXAMPLES = """\b
TARGET is a job.toml, a config.py with Settings, a task.py, or package.module[:function].
Options win over what it says. A job that was interrupted goes on where it ended.

\b
Examples:
  batchmill run job.toml
  batchmill run job.toml --dry-run                 check everything, do nothing
  batchmill run job.toml --limit 20                try it with the first twenty
  batchmill run task.py --input a.jsonl --output b.jsonl --key id -j 200
  batchmill run job.toml --rate 120/min --max-failures 5%
  batchmill run job.toml --restart                 begin anew, keep the old output
  batchmill run job.toml --adopt                   go on with an output of another program
  batchmill run job.toml --json > report.json      for scripts; see also the exit code
"""


@click.command("run", epilog=_EXAMPLES)
@options.target
@options.files
@options.key
@options.calls
@options.order
@click.option("--dry-run", is_flag=True, help="Check everything, and say what a run would do.")
@click.option("--resume", is_flag=True, help="Go on where the last run ended. [always]")
@click.option("--restart", is_flag=True, help="Begin anew; the old output is kept, renamed.")
@click.option("--adopt", is_flag=True, help="Take over an output of other making, by key.")
@click.option("--accept-changes", is_flag=True, help="Go on although settings have changed.")
@click.option(
    "--no-retry-failed",
    "retry_failed",
    flag_value=False,
    type=bool,
    default=None,
    help="Leave the records alone that failed before.",
)
@options.logs
def command(target: str, **given: Any) -> int:
    """Run a job until its input is used up."""
    if given["resume"] and given["restart"]:
        raise click.UsageError("--resume and --restart contradict each other")
    config = load_target(target, options.fields_of(given))
    if given["dry_run"]:
        from .dry_run import check_and_tell

        return check_and_tell(config, given)
    return run_and_show(
        config,
        Manner(
            restart=given["restart"],
            accept_changes=given["accept_changes"],
            adopt=given["adopt"],
            progress=given["progress"],
            as_json=given["as_json"],
        ),
    )
