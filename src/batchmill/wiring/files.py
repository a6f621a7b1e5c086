"""Which source, sink and codec does a job name, by name and by settings?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..formats.codec import Coded
from ..job import Job
from ..protocols import Codec
from ..tasks.task import Task
from .inputs import is_path, reader_of, source_of, source_settings
from .outputs import sink_settings, writer_of

__all__ = ["codec_of", "is_path", "name_of", "settings_of", "source_of"]


def codec_of(job: Job, task: Task) -> Codec:
    """How records are read and results written, where the task runs."""
    return Coded(reader_of(job, task), writer_of(job))


def name_of(job: Job) -> str:
    """The name of a job: given, or that of its output."""
    return job.name or (Path(job.sink).name if job.sink else "job")


def settings_of(job: Job) -> dict[str, Any]:
    """The settings that matter: with others, the results so far would not be those of this job."""
    return {"key": job.key, "version": job.version, **source_settings(job), **sink_settings(job)}
