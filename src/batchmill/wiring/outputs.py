"""Which sink does a job name, how are its rows written, and how are they found again?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..formats.csv_rows import CsvRows
from ..formats.csv_shape import OPTIONS, CsvShape
from ..formats.csv_writer import CsvWriter
from ..formats.items import ItemWriter
from ..formats.json_rows import JsonRows
from ..formats.json_writer import JsonWriter
from ..formats.rows import RowFormat
from ..job import Job
from ..paths import COMPRESSIONS, JobPaths
from ..protocols import Writer
from ..records import Columns
from ..sinks.appended import AppendedFile, compressor_for
from ..tasks.nearest import did_you_mean
from .inputs import format_of, is_path

_FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonlines": "jsonl", ".json": "jsonl",
            ".csv": "csv", ".tsv": "tsv"}  # fmt: skip
_OPTIONS = {"jsonl": (), "csv": OPTIONS, "tsv": OPTIONS}


def sink_of(job: Job, columns: Columns | None = None) -> AppendedFile:
    """The results file that the job names; `columns` are those that its writer knows of."""
    assert job.sink is not None
    shape = _shape_of(job)
    rows: RowFormat
    if shape is not None:
        rows = CsvRows(shape, columns, job.rerun_key)
    else:
        rows = JsonRows(text_keys=is_path(job.source) and format_of(job) in ("csv", "tsv"))
    path = JobPaths.of(job.sink).on_disk().output
    return AppendedFile(path, compressor_for(Path(job.sink)), rows)


def writer_of(job: Job) -> Writer:
    """How results are written, where the task runs."""
    if job.sink is None:
        return ItemWriter()
    shape = _shape_of(job)
    return JsonWriter() if shape is None else CsvWriter(shape)


def sink_settings(job: Job) -> dict[str, Any]:
    """What of the sink matters to the results so far."""
    assert job.sink is not None
    shape = _shape_of(job)
    return {
        "sink.format": _format_of(job),
        "sink.name": JobPaths.of(job.sink).on_disk().name,
        "sink.order": job.order,
        **({} if shape is None else shape.settings()),
    }


def _shape_of(job: Job) -> CsvShape | None:
    """How the rows are written, if they are rows of CSV. Raises ConfigError."""
    found = _format_of(job)
    _check_options(found, job.sink_options)
    return CsvShape.of(job.sink_options, found) if found != "jsonl" else None


def _check_options(found: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that would be ignored."""
    for name in options:
        known = _OPTIONS[found]
        if name not in known:
            hint = did_you_mean(name, known) if known else "drop it: it has no options"
            raise ConfigError(f"sink.{name} means nothing for {found}", hint=hint)


def _format_of(job: Job) -> str:
    """The format of the sink: as given, or from its name."""
    path = Path(job.sink or "")
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    found = job.sink_format or _FORMATS.get(name.suffix.lower())
    if found in _OPTIONS:
        return str(found)
    known = ", ".join(f'"{each}"' for each in _OPTIONS)
    if found or name.suffix.lower() == ".parquet":
        raise ConfigError(f"sink.format = {found or name.suffix[1:]!r} is not known",
                          hint=f"there are {known}")  # fmt: skip
    raise ConfigError(f"the format of {path} cannot be told from its name",
                      hint=f"say it: sink.format is one of {known}")  # fmt: skip
