"""A worker process imports what its driver does, and from the same places."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from .. import errors
from ..tasks.modules import task_folders

_STANDARD = os.path.dirname(os.__file__)  # noqa: PTH120 - spelled as on the import path
_PACKAGE = str(Path(errors.__file__).parent.parent)
_ALWAYS_FIRST = ("built-in", "frozen")
"""Where modules come from that no file can take the place of."""

BOOTSTRAP = """\
import marshal, os, sys
def read(size, text=b""):
    while len(text) < size:
        text += os.read(int(sys.argv[2]), size - len(text)) or os._exit(1)
    return text
standard, package, own, hidden, path = marshal.loads(read(int.from_bytes(read(8), "big")))
sys.path[:] = [*standard, package]
import batchmill
sys.path[:] = [*standard, *own]
for name in hidden:
    try:
        __import__(name)
    except Exception:  # It is for the task to say, if the task needs it.
        pass
from batchmill.engines.worker import main
sys.path[:] = path
main()
"""
"""The first words of a worker, which can import nothing of ours before they have been said. The
standard library comes before whatever lies in a folder that the driver came to know later."""


class Imports(NamedTuple):
    """What a worker is told of its driver's imports. It travels by `marshal`."""

    standard: list[str]
    """Where the standard library lies,"""
    package: str
    """and this package."""
    own: list[str]
    """The driver's import path without the folders of tasks."""
    hidden: list[str]
    """Modules that the driver has, and that a new process would find elsewhere."""
    path: list[str]
    """The driver's import path."""

    @classmethod
    def of_this_process(cls) -> Imports:
        folders = {str(folder) for folder in task_folders}
        standard = [entry for entry in sys.path if _is_standard(entry)]
        own = [entry for entry in sys.path if entry not in folders]
        return cls(standard, _PACKAGE, own, _hidden(), list(sys.path))


def _is_standard(entry: str) -> bool:
    zipped = entry.endswith(".zip") and Path(entry).name.startswith("python3")
    return zipped or entry in (_STANDARD, os.path.join(_STANDARD, "lib-dynload"))  # noqa: PTH118


def _hidden() -> list[str]:
    return [
        name
        for name, module in sys.modules.copy().items()
        if "." not in name and (origin := _origin(module)) and _found(name) not in (None, origin)
    ]


def _origin(module: ModuleType) -> str | None:
    """The file that a module was imported from, where another could be found in its place."""
    spec = getattr(module, "__spec__", None)
    origin = spec.origin if isinstance(spec, ModuleSpec) else None
    return None if origin in _ALWAYS_FIRST else origin


def _found(name: str) -> str | None:
    """The file that would be imported now."""
    with contextlib.suppress(Exception):
        spec = PathFinder.find_spec(name)
        return spec.origin if spec else None
    return None
