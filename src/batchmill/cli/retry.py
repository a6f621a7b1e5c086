"""`batchmill retry`: call the failed records again, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from ..config.target import load_target
from ..errors import ConfigError
from . import options
from .found import of_config
from .running import Manner, run_and_show

_EXAMPLES = """\b
TARGET is what was run. `batchmill run` calls the failed records again, too, besides all others.

\b
Examples:
  batchmill retry job.toml
  batchmill retry job.toml --limit 10 --max-attempts 1      does it help at all?
  batchmill retry job.toml -j 5 --rate 60/min               more gently
"""


@click.command("retry", epilog=_EXAMPLES)
@options.target
@options.files
@options.key
@options.calls
@options.logs
def command(target: str, **given: Any) -> int:
    """Call only the failed records of a job again."""
    config = load_target(target, options.fields_of(given))
    with of_config(config.job).ledger() as ledger:
        if ledger is None:
            raise ConfigError("the job has not run yet", hint="batchmill run")
        total = ledger.retryable()
    config = replace(config, job=replace(config.job, retry_failed=True))
    manner = Manner(
        only="failed", total=total, progress=given["progress"], as_json=given["as_json"]
    )
    return run_and_show(config, manner)
