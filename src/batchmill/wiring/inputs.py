"""Which source does a job name, and how are its records read?"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..formats.csv_dialect import OPTIONS as CSV_OPTIONS
from ..formats.csv_dialect import CsvDialect, can_be_cut, require_encoding, require_size
from ..formats.csv_reader import CsvReader
from ..formats.encode import encode_value
from ..formats.fixed_reader import FixedReader
from ..formats.items import ItemReader
from ..formats.json_reader import JsonReader
from ..formats.numbers import exact_decoder
from ..formats.text_reader import TextReader
from ..formats.typed_row import RowConverter
from ..job import Job, one_of
from ..options import require
from ..paths import COMPRESSIONS
from ..protocols import Reader, Source
from ..sources.csv_files import CsvFiles
from ..sources.files import Files
from ..sources.fixed import FixedFiles, require_record_bytes
from ..sources.iterable import ItemSource, JsonItemSource
from ..sources.jsonl import MAX_RECORD_BYTES, JsonlFiles
from ..sources.text import TextFiles
from ..tasks.nearest import did_you_mean
from ..tasks.task import Task
from ..tasks.typed import decoder_for

_FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonlines": "jsonl", ".json": "jsonl",
            ".csv": "csv", ".tsv": "tsv", ".txt": "text", ".log": "text"}  # fmt: skip
_OPTIONS = {
    "jsonl": ("max_record_bytes", "numbers", "file_field"),
    "csv": CSV_OPTIONS,
    "tsv": CSV_OPTIONS,
    "text": ("encoding", "max_record_bytes"),
    "fixed": ("record_bytes",),
}

_TABLES = ("csv", "tsv")
_UNNAMED = {"text": "a line of text", "fixed": "bytes"}
"""Formats whose records have no fields, and what a record is."""


@dataclass(frozen=True, slots=True)
class Input:
    """The files of a source: those that match a pattern, in the order of their names."""

    name: str
    paths: list[Path]
    format: str

    @property
    def labels(self) -> list[str]:
        """What records say of their files: the path below the folder where a pattern begins."""
        root = _root_of(self.name)
        return [path.relative_to(root).as_posix() for path in self.paths]


def is_path(source: object) -> bool:
    return isinstance(source, str | os.PathLike)


def source_of(job: Job) -> Source:
    """The source that the job names. Raises ConfigError for a format that is not known."""
    if not is_path(job.source):
        items = _items_of(job)
        return JsonItemSource(items, encode_value) if job.sink else ItemSource(items)
    files = _files_of(job)
    if isinstance(files, CsvFiles):
        files.check()
    return files


def _items_of(job: Job) -> Iterable[Any]:
    """The items of a job without files. Raises ConfigError for what nothing can be drawn from."""
    items: Any = job.source
    if hasattr(items, "__aiter__"):
        raise ConfigError("source is an asynchronous iterable, and items are drawn in a thread",
                          hint="give a list, a plain generator or a path")  # fmt: skip
    if not (hasattr(items, "__iter__") or hasattr(items, "__getitem__")):
        raise ConfigError(f"source = {items!r} is neither a path nor an iterable",
                          hint="give a path, a list or a generator")  # fmt: skip
    return items  # type: ignore[no-any-return]


def _files_of(job: Job) -> Files:
    found = _input_of(job)
    options = _options_of(job, found.format)
    if found.format in _TABLES:
        return _csv_files(found, options)
    if found.format == "fixed":
        return FixedFiles(found.paths, found.name, record_bytes=_record_bytes(options))
    size = options.get("max_record_bytes", MAX_RECORD_BYTES)
    require_size(size)
    if found.format == "text":
        recoded = None if can_be_cut(_encoding(options)) else _encoding(options)
        return TextFiles(found.paths, found.name, max_record_bytes=size, encoding=recoded)
    labels = _labels_if_wanted(found, options)
    return JsonlFiles(found.paths, found.name, max_record_bytes=size, labels=labels)


def _csv_files(found: Input, options: Mapping[str, Any]) -> CsvFiles:
    dialect = CsvDialect.of(options, found.format)
    return CsvFiles(found.paths, found.name, dialect=dialect, labels=found.labels)


def _encoding(options: Mapping[str, Any]) -> str:
    """The encoding of text. Raises ConfigError for one that Python does not have."""
    encoding = options.get("encoding", "utf-8")
    require_encoding(encoding)
    return "utf-8" if encoding.lower() == "utf-8-sig" else str(encoding)


def _record_bytes(options: Mapping[str, Any]) -> int:
    size = options.get("record_bytes")
    require_record_bytes("source.record_bytes", size)
    assert isinstance(size, int)
    return size


def _labels_if_wanted(found: Input, options: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """The field for the file's name, and the names, where a job asks for them."""
    field = options.get("file_field", "")
    require(isinstance(field, str), "source.file_field", field, "the name of a field")
    return (field, found.labels) if field else None


def reader_of(job: Job, task: Task) -> Reader:
    """How records are read, where the task runs. Reads the header of CSV files."""
    if not is_path(job.source):
        return ItemReader(job.key) if job.sink is None else _json_reader(job, task)
    found = format_of(job)
    if found in _TABLES:
        return _csv_reader(job, task)
    if found in _UNNAMED:
        return _plain_reader(job, task, found)
    return _json_reader(job, task)


def _plain_reader(job: Job, task: Task, found: str) -> Reader:
    """For records that are one value, and have no fields."""
    what = _UNNAMED[found]
    if job.key:
        raise ConfigError(f"job.key = {job.key!r} needs fields, and a record is {what}",
                          hint="leave it out: a record is known by its number")  # fmt: skip
    if task.record_type is not None:
        raise ConfigError(f"{task.name} wants its record as {task.record_type!r}, and it is {what}",
                          hint="change the annotation, and convert in the task")  # fmt: skip
    options = _options_of(job, found)
    if found == "fixed":
        return FixedReader(_record_bytes(options))
    encoding = _encoding(options)
    return TextReader(encoding if can_be_cut(encoding) else "utf-8")


def _json_reader(job: Job, task: Task) -> JsonReader:
    decoder = decoder_for(task.record_type)
    decode = exact_decoder() if _exact(job, task) else decoder.decode
    return JsonReader(decode, decoder.explain, job.key)


def _exact(job: Job, task: Task) -> bool:
    """Whether numbers are to keep their spelling: source.numbers = "exact"."""
    wanted = job.source_options.get("numbers", "float")
    one_of("source.numbers", wanted, ("float", "exact"))
    return wanted == "exact" and task.record_type is None


def key_reader(job: Job) -> Callable[[Any], str | int | None]:
    """Raw record to its key, without the task. The input is looked at when it is first asked."""
    if not is_path(job.source) or format_of(job) not in _TABLES:
        return JsonReader(key=job.key).key_of
    reader = cache(lambda: _csv_reader(job, None))
    return lambda raw: reader().key_of(raw)


def _csv_reader(job: Job, task: Task | None) -> CsvReader:
    found = _input_of(job)
    options = _options_of(job, found.format)
    names = _csv_files(found, options).names
    record_type = task.record_type if task else None
    convert = None if record_type is None else RowConverter(record_type)
    return CsvReader(CsvDialect.of(options, found.format), names, job.key, convert)


def settled_options(job: Job) -> Mapping[str, Any]:
    """The source's options, with what the input's header says: a reader made from them in another
    process, and later, reads records as the driver does."""
    if not is_path(job.source) or format_of(job) not in _TABLES:
        return job.source_options
    found = _input_of(job)
    names = _csv_files(found, _options_of(job, found.format)).names
    return {**job.source_options, "fieldnames": list(names)}


def source_settings(job: Job) -> dict[str, Any]:
    """What of the source decides what its records are."""
    if not is_path(job.source):
        return {"source.format": "jsonl"}
    found = format_of(job)
    options = _options_of(job, found)
    told: dict[str, Any] = {"source.format": found}
    if found in _TABLES:
        dialect = CsvDialect.of(options, found)
        told |= {f"source.{name}": value for name, value in dialect.settings().items()}
    for name in ("file_field", "record_bytes"):
        if options.get(name):
            told[f"source.{name}"] = options[name]
    if found == "text":
        told["source.encoding"] = _encoding(options)
    return told


def format_of(job: Job) -> str:
    """The format of the source: as given, or from its name."""
    path = Path(os.fspath(job.source))  # type: ignore[arg-type]
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    found = job.source_format or _FORMATS.get(name.suffix.lower())
    if found in _OPTIONS:
        return str(found)
    known = ", ".join(f'"{each}"' for each in _OPTIONS)
    if found or name.suffix.lower() in (".parquet", ".xlsx"):
        raise ConfigError(f"source.format = {found or name.suffix[1:]!r} is not known",
                          hint=f"there are {known}")  # fmt: skip
    raise ConfigError(f"the format of {path} cannot be told from its name",
                      hint=f"say it: source.format is one of {known}")  # fmt: skip


def _options_of(job: Job, found: str) -> Mapping[str, Any]:
    """The options, none of which would be ignored."""
    for name in job.source_options:
        if name not in _OPTIONS[found]:
            raise ConfigError(f"source.{name} means nothing for {found}",
                              hint=did_you_mean(name, _OPTIONS[found]))  # fmt: skip
    return job.source_options


def _input_of(job: Job) -> Input:
    text = os.path.abspath(os.fspath(job.source))  # type: ignore[arg-type]  # noqa: PTH100
    if not glob.has_magic(text) or os.path.lexists(text):
        return Input(text, [Path(text)], format_of(job))
    found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - as a shell does
    paths = [path for path in map(Path, found) if not path.is_dir()]
    if not paths:
        raise ConfigError(f"no file matches the input {text}", hint="look at source.path")
    return Input(text, paths, format_of(job))


def _root_of(text: str) -> Path:
    """The folder above all files that a path or pattern may name."""
    return next(folder for folder in Path(text).parents if not glob.has_magic(str(folder)))
