"""How is a user's Python file or module imported, and how is its error told?"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ..errors import ConfigError
from .nearest import nearest
from .spelling import MADE

_NOT_THEIRS = (f"{Path(__file__).resolve().parent.parent}{os.sep}", "<frozen")
_MOVED = {"utils": "from batchmill import retry_with_backoff",
          "logging_config": "import logging; logger = logging.getLogger(__name__)"}  # fmt: skip
"""What takes the place of the helper modules that a JsonlBatch project imports."""

_made: set[str] = set()
"""Names of modules that were made from files here."""
task_folders: set[Path] = set()
"""Folders that were put on the import path here."""


def import_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own, with its folder first on the import path.

    Its name is the same in every process, so that what it defines can be pickled. The file is read
    anew on every call.

    Raises ConfigError: there is no such file, or it cannot be imported, and where and why.
    """
    path = path.absolute()
    if not path.is_file():
        raise _missing_file(path)
    search(path.parent)
    return _guarded(str(path), path.parent, lambda: _execute(_name_for(path), path))


def file_of(module: ModuleType) -> str | None:
    """The file that a module was made from here."""
    return module.__file__ if module.__name__ in _made else None


def import_name(name: str, base: Path | None) -> ModuleType:
    """Import `package.module`, looking under `base` first. Raises ConfigError as above."""
    if base is not None:
        search(base)
    if _is_missing(name):
        raise ConfigError(
            f"there is no module {name!r}" + (f" in {base} or installed" if base else ""),
            hint='a file is written with its ending: "task.py"; a module as it is imported',
        )
    return _guarded(name, base, lambda: importlib.import_module(name))


def search(folder: Path) -> None:
    """Let imports look into `folder` first.

    Two tasks in one process may each have a `utils.py` beside them, and each is to get its own:
    what was imported from another task's folder is forgotten where this folder has that name too.

    Looks through copies of `sys.modules`: whatever runs meanwhile, a thread or the garbage
    collector, may import something.
    """
    folder = folder.absolute()
    task_folders.add(folder)
    for root in _roots_from_elsewhere(folder):
        for name in sys.modules.copy():
            if f"{name}.".startswith(f"{root}."):
                sys.modules.pop(name, None)
    importlib.invalidate_caches()
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))


def _missing_file(path: Path) -> ConfigError:
    close = nearest(path.name, (each.name for each in path.parent.glob("*.py")))
    remedy = f"did you mean {close}?" if close else "give the path of the file that has it"
    return ConfigError(f"the file {path} does not exist", hint=remedy)


def _is_missing(name: str) -> bool:
    if name in sys.modules:
        return False
    try:
        return importlib.util.find_spec(name) is None
    except ModuleNotFoundError as error:
        return error.name is not None and f"{name}.".startswith(f"{error.name}.")
    except Exception:
        return False


def _roots_from_elsewhere(folder: Path) -> list[str]:
    others = task_folders - {folder}
    return [
        name
        for name, module in sys.modules.copy().items()
        if "." not in name
        and not others.isdisjoint(_containers(module))
        and ((folder / f"{name}.py").is_file() or (folder / name).is_dir())
    ]


def _containers(module: ModuleType) -> list[Path]:
    """The folders that a top-level module or package lies in; several for a namespace package."""
    places = getattr(module, "__path__", None) or [getattr(module, "__file__", None)]
    return [Path(place).parent for place in places if place]


def _name_for(path: Path) -> str:
    """The name under which a process that the task starts finds this very file on the import path;
    where another module goes by that name, one unlike any other's."""
    if "." not in path.stem and path.stem not in sys.stdlib_module_names:
        spec = sys.modules.get(path.stem) or importlib.util.find_spec(path.stem)
        known = getattr(spec, "__file__", None) or getattr(spec, "origin", None)
        if known == str(path):
            return path.stem
    return f"{MADE}{path.stem}_{zlib.crc32(os.fsencode(path)):08x}"


def _execute(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    if name.startswith(MADE):
        from ..engines.children import reach_children

        reach_children()
    sys.modules[name] = module
    _made.add(name)
    try:
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102 - never stale
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _guarded(what: str, folder: Path | None, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise _import_failed(what, folder, error) from error


def _import_failed(what: str, folder: Path | None, error: BaseException) -> ConfigError:
    return ConfigError(
        f"{what} cannot be imported: {type(error).__name__}: {_text(error)}{_place(error, folder)}",
        hint=_remedy(error, folder),
    )


def _text(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def _place(error: BaseException, folder: Path | None) -> str:
    """Where in the user's code: its innermost line that is not a library's, Python's or ours."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}:{error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_NOT_THEIRS)
    ]
    own = [frame for frame in frames if folder and _lies_in(folder, frame.filename)]
    last = (own or frames)[-1:]
    return f" ({last[0].filename}:{last[0].lineno})" if last else ""


def _lies_in(folder: Path, filename: str) -> bool:
    return "site-packages" not in filename and Path(filename).is_relative_to(folder.absolute())


def _remedy(error: BaseException, folder: Path | None) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        root = error.name.partition(".")[0]
        beside = f", or put {root}.py into {folder}" if folder else ""
        if root in _MOVED:
            return f"write instead: {_MOVED[root]}{beside}"
        return f"install it (pip install {root}){beside}"
    if isinstance(error, SystemExit):
        return 'put what the file does as a script under: if __name__ == "__main__":'
    close = _nearest_import(error) if isinstance(error, ImportError) else None
    return f"did you mean {close}?" if close else "mend it; the file must import on its own"


def _nearest_import(error: ImportError) -> str | None:
    """For a failed `from module import name`: the nearest name that the module has."""
    wanted = re.match(r"cannot import name '(\w+)'", str(error))
    module = sys.modules.get(error.name or "")
    return nearest(wanted[1], vars(module)) if wanted and module else None
