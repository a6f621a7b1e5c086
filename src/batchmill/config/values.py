"""What is a job as written in a file or on a command line, once it has been read?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..job import Job

LogFormat = Literal["text", "json"]
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged, and where besides standard error."""

    level: str = "INFO"
    file: Path | None = None
    format: LogFormat = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobConfig:
    """A job and all that was said about running it. Its paths are absolute."""

    job: Job
    log: LogSettings
    base: Path
    """Where the task's modules are looked for: the folder of the file, or the working directory."""
    file: Path | None = None
    """The file it was read from; None if it came from flags alone."""
    notes: tuple[str, ...] = ()
    """What the user should know about settings that were accepted and have no effect."""
    adopts: bool = False
    """Whether an output that no ledger knows is taken over without being asked: a project with
    Settings comes with the output of its earlier runs."""
