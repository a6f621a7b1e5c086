"""`batchmill rerun`: call some records again, by key, and replace their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..config.target import load_target
from ..config.values import JobConfig
from ..errors import Changed, ConfigError
from ..files.lock import job_lock
from ..job import Job
from ..ledger.ledger import SqliteLedger
from ..ledger.next_run import NextRun, next_run
from ..ledger.rerun import Marked, mark_filtered, mark_reruns
from ..wiring.files import name_of, settings_of, source_of
from . import options
from .found import FoundJob, of_config
from .output import say
from .running import Manner, run_and_show

_EXAMPLES = """\b
TARGET is what was run. The old result of a record stands until its new one is there, and is then
replaced; should the record fail, the old result stays. Its results must carry the job's key.

\b
Examples:
  batchmill rerun job.toml --key 8.8.8.8
  batchmill rerun job.toml --key a17 --key b4
  batchmill rerun job.toml --keys-file stale.txt       one key a line
  batchmill rerun job.toml --filtered                  all that the task returned None for
"""


@click.command("rerun", epilog=_EXAMPLES)
@options.target
@click.option("--key", "keys", multiple=True, metavar="K", help="Key of a record; may be repeated.")
@click.option(
    "--keys-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with one key a line.",
)
@click.option("--filtered", is_flag=True, help="All records for which the task returned None.")
@options.files
@options.calls
@options.logs
def command(
    target: str, *, keys: tuple[str, ...], keys_file: Path | None, filtered: bool, **given: Any
) -> int:
    """Call records again, by key, and replace their results."""
    wanted = _wanted(keys, keys_file, filtered=filtered)
    config = _with_key(load_target(target, options.fields_of(given)))
    marked = _mark_filtered(config) if filtered else _mark(config, wanted)
    _tell(marked)
    job = replace(config.job, retry_failed=False)
    manner = Manner(only="reruns", total=marked.queued, progress=given["progress"],
                    as_json=given["as_json"])  # fmt: skip
    return run_and_show(replace(config, job=job), manner)


def _wanted(keys: Sequence[str], file: Path | None, *, filtered: bool) -> list[str]:
    lines = file.read_text(encoding="utf-8-sig").splitlines() if file else []
    wanted = list(dict.fromkeys([*keys, *(line.strip() for line in lines if line.strip())]))
    if filtered and wanted:
        raise click.UsageError("--filtered names the records by itself: leave out the keys")
    if not wanted and not filtered:
        raise click.UsageError("there is no key: give --key K, --keys-file PATH or --filtered")
    return wanted


def _with_key(config: JobConfig) -> JobConfig:
    """With the key of the earlier runs where nothing else says it: --key means something else."""
    if config.job.key is not None:
        return config
    with of_config(config.job).ledger() as ledger:
        key = ledger.settings.get("key") if ledger else None
    return replace(config, job=replace(config.job, key=key))


def _mark(config: JobConfig, wanted: list[str]) -> Marked:
    """Mark the records, while no other run is active. Raises rather than marking some only."""
    job, found = config.job, of_config(config.job)
    key, key_of = job.key, found.key_of
    if key is None or key_of is None:
        raise ConfigError("the job has no key, so its records have no names",
                          hint="set job.key to the field that names a record")  # fmt: skip
    with _held(found, job) as ledger:
        marked = mark_reruns(ledger, source_of(job), found.paths.output, key=key, wanted=wanted,
                             key_of=key_of)  # fmt: skip
    if not marked.queued:
        raise _nothing(marked)
    return marked


def _mark_filtered(config: JobConfig) -> Marked:
    """Mark what was filtered, while no other run is active."""
    job = config.job
    with _held(of_config(job), job) as ledger:
        queued = mark_filtered(ledger, source_of(job))
    if not queued:
        raise ConfigError("there is nothing to run again: no record was filtered",
                          hint="batchmill status")  # fmt: skip
    return Marked(queued, failed=0, pending=0)


@contextmanager
def _held(found: FoundJob, job: Job) -> Iterator[SqliteLedger]:
    """The ledger of a job that has run and is not changed, under its lock."""
    if not found.paths.ledger.exists():
        raise ConfigError("the job has not run yet", hint="batchmill run")
    with job_lock(found.paths.lock):
        _refuse_changed(found, job)
        with closing(SqliteLedger(found.paths.ledger, name_of(job))) as ledger:
            yield ledger


def _refuse_changed(found: FoundJob, job: Job) -> None:
    """Records are marked by their number, which must still be what it was."""
    with found.ledger() as state:
        plan: NextRun = next_run(state, found.paths, source_of(job), settings_of(job), key=job.key)
    if plan.error:
        raise plan.error
    if plan.will == "rebuild":
        raise Changed(plan.why, hint="batchmill run takes that up; then rerun")


def _nothing(marked: Marked) -> ConfigError:
    what = "have failed" if marked.failed else "have not been called yet"
    hint = "batchmill retry" if marked.failed else "batchmill run"
    names = ", ".join(map(repr, marked.failed_keys or marked.pending_keys))
    return ConfigError(f"there is nothing to run again: the records {names} {what}", hint=hint)


def _tell(marked: Marked) -> None:
    if marked.failed:
        say(f"note: {_names(marked.failed_keys, marked.failed)} failed, and so `batchmill retry`"
            " calls it again")  # fmt: skip
    if marked.pending:
        say(f"note: {_names(marked.pending_keys, marked.pending)} is pending, and so `batchmill"
            " run` calls it")  # fmt: skip


def _names(keys: tuple[str, ...], total: int) -> str:
    more = f" and {total - len(keys):,} others" if total > len(keys) else ""
    return ", ".join(map(repr, keys)) + more
