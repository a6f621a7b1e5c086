"""How does a job start again without its old results being lost?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from ..files.durable import sync_folder, writing
from ..files.plain import new_file
from ..paths import JobPaths


def move_aside(paths: JobPaths) -> list[Path]:
    """Rename output, errors file and ledger to a free ".bak-N"; returns what there is now.

    That it is under way is written down first, so that whoever has the lock next brings it to its
    end: a kill in between leaves no job of which a part is gone.
    """
    with writing(paths.output):
        return _move_all(paths, _begun(paths) or _begin(paths))


def finish_moving(paths: JobPaths) -> list[Path]:
    """Go on with what a run that was killed had begun to move; returns what was moved now."""
    with writing(paths.output):
        number = _begun(paths)
        if number is None:
            marker_of(paths).unlink(missing_ok=True)
        return _move_all(paths, number) if number else []


def marker_of(paths: JobPaths) -> Path:
    """The file that holds the number of a move that is under way."""
    return paths.ledger.with_name(f".{paths.ledger.name}.restart")


def _begun(paths: JobPaths) -> int | None:
    marker = marker_of(paths)
    with suppress(FileNotFoundError, ValueError):
        return None if marker.is_symlink() else int(marker.read_text())
    return None


def _begin(paths: JobPaths) -> int:
    old = [*_files(paths)]
    number = next(n for n in count(1) if not any(_aside(path, n).exists() for path in old))
    with open(new_file(marker_of(paths)), "w") as marker:
        marker.write(str(number))
        marker.flush()
        os.fsync(marker.fileno())
    sync_folder(paths.ledger.parent)
    return number


def _move_all(paths: JobPaths, number: int) -> list[Path]:
    moved = [_move(path, number) for path in _files(paths) if path.exists()]
    for suffix in ("-wal", "-shm"):
        beside = paths.ledger.with_name(paths.ledger.name + suffix)
        if beside.exists():
            os.replace(beside, f"{_aside(paths.ledger, number)}{suffix}")
    for folder in {path.parent for path in _files(paths)}:
        sync_folder(folder)
    marker_of(paths).unlink(missing_ok=True)
    return moved


def _files(paths: JobPaths) -> Iterator[Path]:
    yield from (paths.ledger, paths.output, paths.errors)


def move_one_aside(path: Path) -> Path:
    """Rename a file to a free ".bak-N"; returns what it is called now."""
    with writing(path):
        return _move(path, next(n for n in count(1) if not _aside(path, n).exists()))


def keep_copy(path: Path) -> Path:
    """A second name, ".bak-N", for the file as it is now, before it is replaced."""
    names = (_aside(path, n) for n in count(1))
    copy = next(name for name in names if not name.exists() or name.samefile(path))
    with writing(copy):
        if not copy.exists():
            os.link(path, copy)
    return copy


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.bak-{number}")


def _move(path: Path, number: int) -> Path:
    os.replace(path, _aside(path, number))
    return _aside(path, number)
