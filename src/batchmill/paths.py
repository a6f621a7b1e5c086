"""What are a job's files called?"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

COMPRESSIONS = frozenset({".gz", ".zst", ".zstd"})
FORMATS = frozenset(
    {".jsonl", ".jsonlines", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".parquet", ".arrow"}
)
"""Endings that say how a file is written, and are no part of its name."""


@dataclass(frozen=True, slots=True)
class JobPaths:
    """The files of one job, all beside its output unless `errors` is put elsewhere.

    The ledger of `out.jsonl` and of `out.jsonl.gz` is `out.ledger`; an ending that is no format,
    as in `out.2024`, stays part of the name: `out.2024.ledger`.
    """

    output: Path
    errors: Path
    """Dead letters, for people. Plain JSONL, however the output is written."""
    ledger: Path
    lock: Path
    name: str
    """The output's, as the ledger is named after it."""

    @classmethod
    def of(
        cls, output: str | os.PathLike[str], errors: str | os.PathLike[str] | None = None
    ) -> JobPaths:
        """The files of the job that writes `output`, by their names alone."""
        path = Path(output)
        stem = stem_of(path)
        return cls(
            output=path,
            errors=Path(errors) if errors is not None else path.with_name(f"{stem}.errors.jsonl"),
            ledger=path.with_name(f"{stem}.ledger"),
            lock=path.with_name(f"{stem}.ledger.lock"),
            name=path.name,
        )

    def on_disk(self) -> JobPaths:
        """The same files as they lie on disk, links followed, wherever the process may go."""
        return JobPaths.of(self.output.absolute(), self.errors.absolute()).followed()

    def followed(self) -> JobPaths:
        """The same files, where the output is a link: then it is the file that the link leads to.

        Ledger and lock lie beside that, so that it is one job by whatever link it is reached. But a
        ledger that an earlier version has left beside the link is kept to. The errors file lies
        where people look for it.
        """
        if not self.output.is_symlink():
            return self
        there = JobPaths.of(os.path.realpath(self.output), self.errors)
        if self.ledger.exists() and not there.ledger.exists():
            return replace(self, output=there.output)
        return there


def stem_of(path: Path) -> str:
    """The file's name without compression and format: "out" of `out.jsonl.gz`."""
    if path.suffix.lower() in COMPRESSIONS:
        path = path.with_suffix("")
    return path.stem if path.suffix.lower() in FORMATS else path.name
