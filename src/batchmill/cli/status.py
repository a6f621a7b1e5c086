"""`batchmill status`: what is settled, does it run, and what would the next run do?"""

from __future__ import annotations

from typing import Any

import click

from ..files.lock import holder_of
from ..ledger.next_run import next_run
from ..ledger.reading import LedgerState, Run
from ..wiring.files import settings_of
from . import options
from .found import FoundJob, find_job
from .output import Fact, put_facts, put_json

_EXAMPLES = """\b
TARGET is what was run, or the output of a job that has run.

\b
Examples:
  batchmill status job.toml
  batchmill status out.jsonl          without the job's file, what the next run does is not told
  batchmill status job.toml --json
"""

Status = dict[str, Any]


@click.command("status", epilog=_EXAMPLES)
@options.target
@options.files
@options.key
@options.as_json
def command(target: str, *, as_json: bool, **fields: Any) -> None:
    """Tell how far a job is, and what its next run would do."""
    found = find_job(target, fields)
    with found.ledger() as ledger:
        status = _status(found, ledger)
    if as_json:
        put_json(status)
    else:
        put_facts(status["name"], _facts(status))


def _status(found: FoundJob, ledger: LedgerState | None) -> Status:
    running = _holder(found)
    return {
        "name": found.name,
        "output": str(found.paths.output),
        "errors": str(found.paths.errors),
        "ledger": str(found.paths.ledger),
        **(_counts(ledger) if ledger else {}),
        "running": running,
        "last_run": _last_run(ledger.last_run() if ledger else None, running),
        "next_run": _next_run(found, ledger, running),
    }


def _holder(found: FoundJob) -> dict[str, Any] | None:
    try:
        return holder_of(found.paths.lock)
    except PermissionError:
        return None


def _counts(ledger: LedgerState) -> Status:
    counts = ledger.counts
    return {
        "read": counts.settled + ledger.pending,
        "settled": counts.settled,
        "succeeded": counts.succeeded,
        "filtered": counts.filtered,
        "failed": counts.failed,
        "pending": ledger.pending,
        "reruns": ledger.reruns(),
        "source_complete": ledger.source_complete,
    }


def _last_run(run: Run | None, running: object) -> Status | None:
    if run is None:
        return None
    report = run.report or {}
    state = report.get("state") or ("running" if running else "killed")
    return {"number": run.number, "started_at": run.started_at, "ended_at": run.ended_at,
            "host": run.host, "pid": run.pid, "state": state,
            "reason": report.get("reason", "")}  # fmt: skip


def _next_run(found: FoundJob, ledger: LedgerState | None, running: object) -> Status:
    if running:
        return {"will": "wait", "why": "another one is refused while this one is active"}
    source, job = found.source, found.job
    if job is None or source is None:
        return {"will": "unknown", "why": "the output does not tell; give the job's file"}
    plan = next_run(ledger, found.paths, source, settings_of(job), key=job.key,
                    retry_failed=job.retry_failed, adopt=found.adopts)  # fmt: skip
    hint = plan.error.hint if plan.error else None
    return {"will": plan.will, "why": plan.why, **({"hint": hint} if hint else {})}


_WILL = {
    "start": "starts afresh",
    "resume": "resumes",
    "rebuild": "finds progress again, and goes on",
    "nothing": "has nothing to do",
    "refuse": "is refused",
    "wait": "has to wait",
    "unknown": "not known",
}


def _facts(status: Status) -> list[Fact]:
    following = status["next_run"]
    facts = _counted(status) if "read" in status else [("settled", "nothing: it has not run yet")]
    facts.append(("running", _running(status["running"])))
    if status["last_run"]:
        facts.append(("last run", _last(status["last_run"])))
    facts.append(("next run", f"{_WILL[following['will']]}: {following['why']}"))
    if "hint" in following:
        facts.append(("hint", following["hint"]))
    facts.append(("output", status["output"]))
    if status.get("failed"):
        facts.append(("errors", status["errors"]))
    return facts


def _counted(status: Status) -> list[Fact]:
    more = "" if status["source_complete"] else ", and whatever was not read yet"
    facts = [
        ("settled", f"{status['settled']:,} of {status['read']:,} read"),
        *((name, f"{status[name]:,}") for name in ("succeeded", "filtered", "failed")),
        ("pending", f"{status['pending']:,}{more}"),
    ]
    if status["reruns"]:
        facts.append(("reruns", f"{status['reruns']:,} are to be run again"))
    return facts


def _running(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return "no"
    return f"yes: process {holder['pid']} on {holder['host']} since {holder['since']}"


def _last(run: Status) -> str:
    text = f"{run['number']}, from {run['started_at']}, {run['state']}"
    return f"{text}: {run['reason'].splitlines()[0]}" if run["reason"] else text
