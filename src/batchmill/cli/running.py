"""Run a job in front of people: with progress, log, report and exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass

from ..api import run
from ..config.values import JobConfig
from ..errors import BatchmillError, ConfigError
from ..launch import Only
from ..observers.logs import (
    TextLines,
    file_handler,
    logging_to,
    only_warnings_of,
    stream_handler,
)
from ..observers.progress_log import PROGRESS, ProgressLog
from ..observers.run_log import RUN, RunLog
from ..paths import JobPaths
from ..protocols import Observer
from ..report import Report
from .output import put_facts, put_json, say
from .streams import err, is_terminal, out, pass_on
from .table import facts_of, title_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is asked for and shown, besides what its job says."""

    restart: bool = False
    accept_changes: bool = False
    adopt: bool = False
    only: Only | None = None
    total: int | None = None
    """How many records it is to settle, where that is known."""
    progress: str = "auto"
    as_json: bool = False


def run_and_show(config: JobConfig, manner: Manner) -> int:
    """Run the job; its exit code. Nobody reading what is shown does not stop it.

    Raises what `run` raises.
    """
    with _watched(config, manner) as observers, _task_prints_elsewhere(manner.as_json):
        report = run(
            config.job,
            restart=manner.restart,
            accept_changes=manner.accept_changes,
            adopt=manner.adopt or (config.adopts and not manner.restart),
            only=manner.only,
            observers=observers,
        )
    pass_on("stdout")
    with suppress(OSError):
        _show(report, as_json=manner.as_json)
    return int(report.exit_code)


@contextmanager
def _watched(config: JobConfig, manner: Manner) -> Iterator[list[Observer]]:
    """The observers of the run, with the log set up."""
    with ExitStack() as stack:
        observers: list[Observer] = [RunLog(*_settings(config))]
        if manner.progress != "none":
            observers.append(ProgressLog(manner.total))
        handlers = [*_file_handlers(config)]
        if _has_bar(manner.progress):
            handlers.append(_show_bar(stack, observers, manner.total))
        elif (stream := err()) is not None:
            handlers.append(stream_handler(stream, config.log.format))
        stack.enter_context(logging_to(handlers, config.log.level))
        for note in config.notes:
            _log.warning("%s", note)
        try:
            yield observers
        except BatchmillError:
            _log.debug("the run was refused", exc_info=True)
            raise


def _has_bar(progress: str) -> bool:
    return progress in ("auto", "bar") and is_terminal(err())


def _show_bar(stack: ExitStack, observers: list[Observer], total: int | None) -> logging.Handler:
    """Add a bar to the observers; returns the handler that logs above it."""
    from rich.console import Console

    from ..observers.progress_bar import ConsoleHandler, ProgressBar

    console = Console(file=err())
    handler = ConsoleHandler(console)
    handler.setFormatter(TextLines())
    only_warnings_of(handler, RUN, PROGRESS)
    observers.append(stack.enter_context(ProgressBar(console, total, prints=is_terminal(out()))))
    return handler


def _file_handlers(config: JobConfig) -> Iterator[logging.Handler]:
    file, job = config.log.file, config.job
    if file is None:
        return
    paths = JobPaths.of(job.sink, job.errors) if job.sink else None
    taken = [job.source, *([paths.output, paths.errors, paths.ledger] if paths else [])]
    if str(file) in map(str, taken):
        raise ConfigError(f"the log file {file} is a file of the job, too",
                          hint="give it a path of its own")  # fmt: skip
    yield file_handler(file, config.log.format)


def _settings(config: JobConfig) -> Iterator[str]:
    """What the log of a run begins with."""
    job = config.job
    yield f"job {config.file or 'from the command line'}, task {job.task}"
    yield f"from {job.source} to {job.sink}"
    yield (
        f"rate {job.rate or 'unlimited'}, timeout {job.timeout_s or 'none'},"
        f" at most {job.retry.max_attempts} attempts, key {job.key or 'none'}"
    )


@contextmanager
def _task_prints_elsewhere(as_json: bool) -> Iterator[None]:
    """Where standard output is to hold nothing but JSON, what the task prints goes to standard
    error."""
    if as_json and sys.stderr is not None:
        with redirect_stdout(sys.stderr):
            yield
    else:
        yield


def _show(report: Report, *, as_json: bool) -> None:
    if report.state == "aborted":
        message, _, hint = report.reason.partition("\nhint: ")
        say(f"error: {message}" + (f"\nhint: {hint}" if hint else ""))
    if as_json:
        put_json(report.to_dict())
    else:
        put_facts(title_of(report.to_dict()), facts_of(report.to_dict()))
