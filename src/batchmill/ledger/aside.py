"""How does a job start again without its old results being lost?"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from ..files.durable import sync_folder, writing
from ..paths import JobPaths


def move_aside(paths: JobPaths) -> list[Path]:
    """Rename output, errors file and ledger to a free ".bak-N"; returns what there is now."""
    with writing(paths.output):
        return _move_all(paths)


def _move_all(paths: JobPaths) -> list[Path]:
    old = [paths.ledger, paths.output, paths.errors]
    number = next(n for n in count(1) if not any(_aside(path, n).exists() for path in old))
    moved = [_move(path, number) for path in old if path.exists()]
    for suffix in ("-wal", "-shm"):
        beside = paths.ledger.with_name(paths.ledger.name + suffix)
        if beside.exists():
            os.replace(beside, f"{_aside(paths.ledger, number)}{suffix}")
    sync_folder(paths.output.absolute().parent)
    return moved


def move_one_aside(path: Path) -> Path:
    """Rename a file to a free ".bak-N"; returns what it is called now."""
    with writing(path):
        return _move(path, next(n for n in count(1) if not _aside(path, n).exists()))


def keep_copy(path: Path) -> Path:
    """A second name, a free ".bak-N", for the file as it is now, before it is replaced."""
    copy = next(_aside(path, n) for n in count(1) if not _aside(path, n).exists())
    with writing(copy):
        os.link(path, copy)
    return copy


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.bak-{number}")


def _move(path: Path, number: int) -> Path:
    os.replace(path, _aside(path, number))
    return _aside(path, number)
