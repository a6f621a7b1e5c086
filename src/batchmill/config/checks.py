"""Can the files of a job be read and written? Asked before anything is opened or written."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from ..errors import ConfigError
from ..job import Job
from ..paths import JobPaths
from ..tasks.nearest import nearest


def check_paths(job: Job) -> None:
    """Look at source, output, errors file and ledger as they lie on disk, and touch nothing.

    A source that is no path, and addresses (s3://...), are left to those who know them.
    Raises ConfigError that names the path and the remedy.
    """
    sources = list(_sources(job))
    for source in sources:
        _check_source(source)
    if job.sink is None or _is_address(job.sink):
        return
    paths = JobPaths.of(job.sink, job.errors).followed()
    _check_distinct(paths)
    for option, path in _written(paths):
        _check_target(option, path)
        _check_folder(option, path)
        _check_not_read(option, path, job, sources)


def _sources(job: Job) -> Iterator[Path]:
    """The files that the source is made of; of a pattern, those that match it now."""
    if not isinstance(job.source, str | os.PathLike) or _is_address(job.source):
        return
    text = os.fspath(job.source)
    if text == "-":
        raise ConfigError("the input is standard input, which cannot be read a second time",
                          hint="write it to a file first: a job that is run again reads it again",
                          )  # fmt: skip
    if not _is_pattern(text):
        yield Path(text)
        return
    every = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - as a shell does
    found = [path for path in every if not os.path.isdir(path)]  # noqa: PTH112
    if not found:
        raise ConfigError(f"no file matches the input {text}", hint="look at the folder: "
                          f"ls {_fixed_part(text)}")  # fmt: skip
    yield from map(Path, found)


def _is_address(path: object) -> bool:
    return isinstance(path, str) and "://" in path


def _is_pattern(text: str) -> bool:
    return glob.has_magic(text) and not os.path.lexists(text)


def _fixed_part(pattern: str) -> str:
    parts = [part for part in Path(pattern).parents if not glob.has_magic(str(part))]
    return str(parts[0])


def _check_source(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise _missing_source(path) from None
    except OSError as error:
        raise ConfigError(f"the input {path} cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        raise ConfigError(f"the input {path} is a directory",
                          hint=f'name the files in it: "{path}/*.jsonl"')  # fmt: skip
    if not stat.S_ISREG(mode):
        raise ConfigError(f"the input {path} is no ordinary file and cannot be read a second time",
                          hint="write it to a file first")  # fmt: skip
    if not os.access(path, os.R_OK):
        raise ConfigError(f"the input {path} may not be read", hint=f"chmod u+r {path}")


def _missing_source(path: Path) -> ConfigError:
    folder = path.parent
    if not folder.is_dir():
        return ConfigError(f"the input {path} does not exist, nor does its folder {folder}",
                           hint="look at source.path or --input")  # fmt: skip
    close = nearest(path.name, (each.name for each in folder.iterdir()))
    hint = f"did you mean {folder / close}?" if close else "look at source.path or --input"
    return ConfigError(f"the input {path} does not exist", hint=hint)


def _written(paths: JobPaths) -> tuple[tuple[str, Path], ...]:
    return ("output", paths.output), ("errors file", paths.errors), ("ledger", paths.ledger)


def _check_distinct(paths: JobPaths) -> None:
    seen: list[tuple[str, Path]] = []
    for option, path in _written(paths):
        for other, earlier in seen:
            if _same(path, earlier):
                raise ConfigError(f"the {option} and the {other} are the same file, {path}",
                                  hint=f"give the {option} a path of its own")  # fmt: skip
        seen.append((option, path))


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, by whatever links; or would, once written."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


def _check_target(option: str, path: Path) -> None:
    if path.is_dir():
        raise ConfigError(f"the {option} {path} is a directory",
                          hint=f"give it a file name: {path / 'out.jsonl'}")  # fmt: skip
    if os.path.islink(os.path.realpath(path)):  # noqa: PTH114
        raise ConfigError(f"the {option} {path} is a link that leads back to itself",
                          hint=f"rm {path}, or write to another file")  # fmt: skip
    if not path.exists():
        return
    if not path.is_file():
        raise ConfigError(f"the {option} {path} is no ordinary file and cannot be resumed",
                          hint="give it the path of a file")  # fmt: skip
    if not os.access(path, os.W_OK):
        raise ConfigError(f"the {option} {path} may not be written", hint=f"chmod u+w {path}")


def _check_folder(option: str, path: Path) -> None:
    folder = path.resolve().parent if path.is_symlink() else path.parent
    if not folder.exists():
        raise ConfigError(f"the folder of the {option} {path} does not exist",
                          hint=f"mkdir -p {folder}")  # fmt: skip
    if not folder.is_dir():
        raise ConfigError(f"the {option} {path} would lie in {folder}, which is no folder",
                          hint="look at sink.path or --output")  # fmt: skip
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"the folder {folder} of the {option} may not be written",
                          hint=f"chmod u+wx {folder}")  # fmt: skip


def _check_not_read(option: str, path: Path, job: Job, sources: list[Path]) -> None:
    if any(_same(path, source) for source in sources):
        raise ConfigError(f"the {option} {path} is the input, too",
                          hint="write to another file: the input must stay as it is")  # fmt: skip
    text = os.fspath(job.source) if isinstance(job.source, str | os.PathLike) else ""
    if _is_pattern(text) and _matches(Path(path.absolute()), Path(text).absolute()):
        raise ConfigError(f"the {option} {path} matches the input {text} and would be read",
                          hint="write to another folder, or narrow the pattern")  # fmt: skip


def _matches(path: Path, pattern: Path) -> bool:
    """Whether glob would find `path`, folder by folder, `**` standing for any number of them."""

    def match(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
        if not wanted:
            return not parts
        if wanted[0] == "**":
            return match(parts, wanted[1:]) or (bool(parts) and match(parts[1:], wanted))
        return bool(parts) and fnmatch(parts[0], wanted[0]) and match(parts[1:], wanted[1:])

    return match(path.parts, pattern.parts)
