"""`batchmill verify`: ledger, output and source against each other."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ..errors import ConfigError
from ..files.lock import holder_of
from ..ledger.verify import Finding, verify
from ..observers.text import printable
from ..report import ExitCode
from . import options
from .found import find_job
from .output import put, put_json, say

_EXAMPLES = """\b
TARGET is what was run, or the output of a job that has run, whose ledger knows input and key.
Nothing is changed. Exit code 0 if all agree, 1 if something differs or was left out.

\b
Examples:
  batchmill verify job.toml
  batchmill verify out.jsonl
  batchmill verify out.jsonl --input moved/in.jsonl
  batchmill verify job.toml --json
"""


@click.command("verify", epilog=_EXAMPLES)
@options.target
@options.files
@options.key
@options.as_json
def command(target: str, *, as_json: bool, **fields: Any) -> int:
    """Compare ledger, output and input of a job with each other."""
    found = find_job(target, fields)
    if not found.paths.ledger.exists():
        raise ConfigError(f"{found.paths.ledger} is not there", hint="the job has not run yet")
    findings = verify(found.paths, source=found.source, key=found.key, key_of=found.key_of)
    for finding in findings:
        _put(finding, as_json=as_json)
    if holder_of(found.paths.lock):
        say("note: the job is running; this compares what it had committed")
    return _judge(findings)


def _put(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        put_json(asdict(finding))
    else:
        put(f"{finding.verdict:<8} {finding.check}: {printable(finding.text)}")


def _judge(findings: list[Finding]) -> int:
    wrong = sum(finding.verdict == "differs" for finding in findings)
    skipped = sum(finding.verdict == "skipped" for finding in findings)
    if wrong:
        say(f"error: {wrong} of {len(findings)} checks found a difference")
    elif skipped:
        say(f"error: {skipped} of {len(findings)} checks could not be made")
    return ExitCode.ABORTED if wrong or skipped else ExitCode.DONE
