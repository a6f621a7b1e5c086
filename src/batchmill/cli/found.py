"""The job that is meant, when a target may also be the output of one that has run."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config.target import find_ledger, load_target
from ..errors import ConfigError, LedgerError
from ..job import Job
from ..ledger.reading import LedgerState, read_ledger
from ..paths import JobPaths
from ..protocols import Source
from ..wiring.files import name_of, source_of
from ..wiring.inputs import key_reader

KeyOf = Callable[[Any], str | int | None]


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job's files, and what else its target, its ledger or the command line told of it."""

    name: str
    paths: JobPaths
    key: str | None = None
    source: Source | None = None
    job: Job | None = None
    key_of: KeyOf | None = None
    """Raw record to its key, without the task; None without a key or a source."""
    adopts: bool = False
    """As JobConfig has it."""

    @contextmanager
    def ledger(self) -> Iterator[LedgerState | None]:
        """What the ledger says; None if the job has not run yet."""
        if not self.paths.ledger.exists():
            yield None
            return
        with read_ledger(self.paths.ledger) as state:
            yield state


def find_job(target: str, fields: Mapping[str, Any] | None = None) -> FoundJob:
    """The job of a target, or the one whose output (or ledger) this is.

    `fields` override what the target says, as with `run`. Raises ConfigError for what is neither.
    """
    given = {name: value for name, value in (fields or {}).items() if value is not None}
    ledger = find_ledger(target)
    if ledger is None:
        config = load_target(target, given)
        return replace(of_config(config.job), adopts=config.adopts)
    return _left_behind(ledger, Path(target), given)


def of_config(job: Job) -> FoundJob:
    """Raises ConfigError for a job that leaves nothing to be found."""
    if job.sink is None:
        raise ConfigError("the job has no output", hint="give --output")
    paths = JobPaths.of(job.sink, job.errors).on_disk()
    return FoundJob(name_of(job), paths, job.key, source_of(job), job, _key_of(job))


def _left_behind(ledger: Path, target: Path, given: Mapping[str, Any]) -> FoundJob:
    """A job of which only the output, or the ledger, is known."""
    name, settings, report, path = _remembered(ledger)
    output = _output_of(ledger, report) if target == ledger else target
    key = given.get("key") or settings.get("key")
    origin = given.get("source") or _still_there(path)
    read = _reading(origin, key, settings) if origin else None
    return FoundJob(
        name=name or output.name,
        paths=JobPaths.of(
            output, given.get("errors") or _beside(ledger, report.get("errors"))
        ).on_disk(),
        key=key,
        source=source_of(read) if read else None,
        key_of=_key_of(read) if read else None,
    )


def _still_there(path: str) -> str | None:
    """The source of the last run, if it is where it was."""
    found = path and (Path(path).exists() or glob.glob(path, recursive=True))  # noqa: PTH207
    return path if found else None


def _reading(source: str, key: str | None, settings: Mapping[str, Any]) -> Job:
    """A job that reads this source as the one that was run has."""
    told = {name.removeprefix("source."): value for name, value in settings.items()
            if name.startswith("source.") and value is not None}  # fmt: skip
    return Job(source=source, task=None, key=key, source_format=told.pop("format", None),
               source_options=told)  # fmt: skip


def _key_of(job: Job) -> KeyOf | None:
    return key_reader(job) if job.key else None


def _remembered(ledger: Path) -> tuple[str, dict[str, Any], dict[str, Any], str]:
    """Name, settings, last report and path of the source; nothing where it cannot be read."""
    try:
        with read_ledger(ledger) as state:
            report = next((run.report for run in state.runs() if run.report), None)
            return state.name, state.settings, report or {}, state.state.source_path
    except LedgerError:
        return "", {}, {}, ""


def _beside(ledger: Path, errors: str | None) -> str | Path | None:
    """The errors file, which may have been moved together with the ledger."""
    moved = errors and ledger.parent / Path(errors).name
    return moved if moved and moved.exists() else errors


def _output_of(ledger: Path, report: Mapping[str, Any]) -> Path:
    """The output beside this ledger: as the last run called it, else by its name."""
    called = ledger.parent / Path(report.get("output") or "").name
    for path in (called, *sorted(ledger.parent.iterdir())):
        if path != ledger and JobPaths.of(path).ledger == ledger:
            return path
    raise ConfigError(f"the output of {ledger} is not beside it",
                      hint="give the output instead of the ledger")  # fmt: skip
