"""Which source, sink and codec does a job name?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..formats.codec import Coded
from ..formats.encode import encode_value
from ..formats.items import ItemReader
from ..formats.json_reader import JsonReader
from ..formats.numbers import exact_decoder
from ..job import Job, one_of
from ..protocols import Codec, Reader, Source
from ..sources.iterable import ItemSource, JsonItemSource
from ..sources.jsonl import MAX_RECORD_BYTES, JsonlFile
from ..tasks.task import Task
from ..tasks.typed import decoder_for
from .outputs import sink_settings, writer_of

_COMPRESSED = (".gz", ".zst", ".zstd")
_FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonlines": "jsonl", ".json": "jsonl"}


def is_path(source: object) -> bool:
    return isinstance(source, str | os.PathLike)


def source_of(job: Job) -> Source:
    """The source that the job names. Raises ConfigError for a format that is not known."""
    if not isinstance(job.source, str | os.PathLike):
        return JsonItemSource(job.source, encode_value) if job.sink else ItemSource(job.source)
    path = Path(job.source).absolute()
    format_of(path, job.source_format, "source")
    _check_options("source", job.source_options, ("max_record_bytes", "numbers"))
    if not path.exists():
        raise ConfigError(f"source.path = {str(path)!r} is a pattern; only one file can be read",
                          hint="join the files: cat PATTERN > all.jsonl")  # fmt: skip
    return JsonlFile(
        path, max_record_bytes=job.source_options.get("max_record_bytes", MAX_RECORD_BYTES)
    )


def _check_options(table: str, options: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse an option that would be ignored."""
    for name in options:
        if name not in known:
            has = f"there are {', '.join(known)}" if known else "it has no options"
            raise ConfigError(f"{table}.{name} means nothing for jsonl", hint=f"drop it: {has}")


def format_of(path: Path, given: str | None, table: str) -> str:
    """The format of a file: as given, or from its name."""
    name = path.with_suffix("") if path.suffix in _COMPRESSED else path
    found = given or _FORMATS.get(name.suffix.lower())
    if found is not None and found in _FORMATS.values():
        return found
    if given or name.suffix.lower() in (".csv", ".tsv", ".parquet"):
        raise ConfigError(f"{table}.format = {given or name.suffix[1:]!r} is not known",
                          hint='"jsonl" is: one JSON value a line')  # fmt: skip
    raise ConfigError(f"the format of {path} cannot be told from its name",
                      hint=f'if it has one JSON value a line: {table}.format = "jsonl"',
                      )  # fmt: skip


def codec_of(job: Job, task: Task) -> Codec:
    """How records are read and results written, where the task runs."""
    return Coded(_reader_of(job, task), writer_of(job))


def _reader_of(job: Job, task: Task) -> Reader:
    if job.sink is None and not is_path(job.source):
        return ItemReader(job.key)
    decoder = decoder_for(task.record_type)
    decode = exact_decoder() if _exact(job, task) else decoder.decode
    return JsonReader(decode, decoder.explain, job.key)


def _exact(job: Job, task: Task) -> bool:
    """Whether numbers are to keep their spelling: source.numbers = "exact"."""
    wanted = job.source_options.get("numbers", "float")
    one_of("source.numbers", wanted, ("float", "exact"))
    return wanted == "exact" and task.record_type is None


def name_of(job: Job) -> str:
    """The name of a job: given, or that of its output."""
    return job.name or (Path(job.sink).name if job.sink else "job")


def settings_of(job: Job) -> dict[str, Any]:
    """The settings that matter: with others, the results so far would not be those of this job."""
    return {
        "key": job.key,
        "version": job.version,
        "source.format": "jsonl",
        **sink_settings(job),
    }
