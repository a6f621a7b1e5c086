"""Which job does TARGET name?"""

from __future__ import annotations

import importlib.util
import symtable
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..paths import JobPaths, stem_of
from ..tasks.modules import search
from ..tasks.nearest import nearest
from ..tasks.spelling import Spelling
from .draft import Draft, finish
from .jobfile import read_job_file
from .settings import read_settings
from .values import JobConfig

_FORMS = "give job.toml, config.py, task.py or package.module:function"

_OUTPUTS = f"{_FORMS}; status, failures, verify and report also take the output of a job that ran"


def load_target(target: str, overrides: Mapping[str, Any] | None = None) -> JobConfig:
    """The job that TARGET and the flags describe.

    TARGET is a job.toml, a config.py with Settings, a task.py, "package.module[:function]", or a
    folder with a job.toml or config.py. `overrides` are fields of Job, Retry ("max_attempts") and
    LogSettings ("log_file") by name, flat; None is a flag not given. They win over the file.
    Relative paths in a file start from its folder, those in flags from the working directory.

    Reads the file, and runs a config.py, but opens and writes nothing else. The folder that a
    task's module is looked for in is put on the import path.
    Raises ConfigError that names the file or flag, the key, the value and the remedy.
    """
    config = finish(_draft(target), overrides or {})
    search(config.base)
    return config


def find_ledger(target: str) -> Path | None:
    """The ledger beside TARGET, if that is an output path (or the ledger itself) and has one."""
    path = Path(target)
    if path.suffix == ".ledger" and path.is_file():
        return path
    if "://" in target or path.suffix in (".toml", ".py") or not path.name:
        return None
    ledger = JobPaths.of(path).on_disk().ledger
    return ledger if ledger.is_file() else None


def _draft(target: str) -> Draft:
    path = Path(target).expanduser()
    if path.is_dir():
        path = _in_folder(path)
    if path.suffix == ".toml":
        return read_job_file(_existing(path))
    if path.suffix == ".py" and _is_settings(_existing(path)):
        return read_settings(path)
    return _task_alone(target)


def _in_folder(folder: Path) -> Path:
    for name in ("job.toml", "config.py"):
        if (folder / name).is_file():
            return folder / name
    raise ConfigError(f"the folder {folder} has no job.toml", hint=f"write one there, or {_FORMS}")


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    beside = (each.name for each in path.parent.glob(f"*{path.suffix}"))
    close = nearest(path.name, beside)
    raise ConfigError(f"{path} does not exist",
                      hint=f"did you mean {path.with_name(close)}?" if close else _FORMS,
                      )  # fmt: skip


def _is_settings(path: Path) -> bool:
    """Whether a Python file is a config.py and no task: told from its text, without running it."""
    try:
        names = _names_defined(path)
    except (SyntaxError, ValueError):
        return path.name == "config.py"
    if names & {"process_record", "process_batch"}:
        return False
    return bool(names & {"Settings", "settings"}) or path.name == "config.py"


def _names_defined(path: Path) -> set[str]:
    """What a module defines or imports, by the compiler's own table of names.

    The `ast` module would do as well, but CPython 3.11's fails now and then in a process that
    has threads (gh-106905).
    """
    text = importlib.util.decode_source(path.read_bytes())
    table = symtable.symtable(text, str(path), "exec")
    return {each.get_name() for each in table.get_symbols() if _is_defined(each)}


def _is_defined(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported()


def _task_alone(target: str) -> Draft:
    """A task without a file for its job. What it lacks comes from flags."""
    if Path(target).is_file() and not target.endswith(".py"):
        raise ConfigError(f"{target} is no job", hint=_OUTPUTS)
    try:
        task = Spelling.parse(target).under(Path.cwd())
    except ConfigError as error:
        raise _no_target(target) from error
    if task.file:
        return Draft(base=_existing(task.file).parent, fields={"task": str(task)})
    if not _is_importable(str(task.module)):
        raise _no_target(target)
    return Draft(base=Path.cwd(), fields={"task": str(task)})


def _is_importable(module: str) -> bool:
    root = module.partition(".")[0]
    here = Path(f"{root}.py").is_file() or Path(root).is_dir()
    return here or root in sys.modules or importlib.util.find_spec(root) is not None


def _no_target(target: str) -> ConfigError:
    path = Path(target)
    if stem_of(path) != path.name:
        return ConfigError(f"{target} is no job, and there is no such file", hint=_OUTPUTS)
    close = nearest(path.name, (each.name for each in path.parent.glob("*.*")))
    return ConfigError(f"there is no file and no module {target}",
                       hint=f"did you mean {path.with_name(close)}?" if close else _FORMS,
                       )  # fmt: skip
