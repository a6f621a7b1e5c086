"""Where is the user's code, and is it a task?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ConfigError
from .modules import file_of, import_file, import_name
from .nearest import nearest
from .shape import hook_takes_context, shape_of
from .spelling import Spelling
from .task import Task

RECORD, BATCH = "process_record", "process_batch"
HOOKS = ("on_startup", "on_shutdown")

_TYPO = 0.85
"""How much like a hook's name a function's name is before it is taken for a slip of the pen."""


def load_task(spec: object, base: Path | None = None, *, batch: bool = False) -> Task:
    """Find the task that `spec` means and look at how it wants to be called.

    `spec` is a callable, a module or object with the task module's functions, "task.py",
    "package.module", or either with ":function". Relative files and modules are looked for in
    `base`, which is put first on the import path; without it, in the working directory and on the
    import path as it is. A function given by itself has no hooks, whatever its module defines.
    `batch` says that a job with a batch_size asks: a function by itself then gets lists of records.

    Raises ConfigError: nothing there, cannot be imported, no task, not to be called as one.
    """
    if isinstance(spec, Task):
        return spec
    if isinstance(spec, str | os.PathLike):
        return _load_named(Spelling.parse(os.fspath(spec)), base, batch)
    if isinstance(spec, ModuleType):
        return _from_members(spec, spec.__name__, _spec_of_module(spec), batch)
    if isinstance(spec, type):
        raise ConfigError(f"task = {spec.__name__} is a class", hint=f"give {spec.__name__}()")
    if hasattr(spec, RECORD) or hasattr(spec, BATCH):
        return _from_members(spec, type(spec).__name__, None, batch)
    if callable(spec):
        return _from_function(spec, _name_of(spec), _spec_of_function(spec), batch)
    raise ConfigError(
        f"task = {spec!r} is no task",
        hint=f'give a function, a module with {RECORD}, "task.py" or "package.module:function"',
    )


def _load_named(spelling: Spelling, base: Path | None, batch: bool) -> Task:
    if spelling.file is not None:
        spelling = spelling.under((base or Path()).absolute())
    module = import_file(spelling.file) if spelling.file else _imported(spelling, base)
    if spelling.attribute is None:
        return _from_members(module, str(spelling), str(spelling), batch)
    found = _attribute(module, spelling)
    if hasattr(found, RECORD) or hasattr(found, BATCH):
        return _from_members(found, str(spelling), str(spelling), batch)
    if isinstance(found, type):
        raise ConfigError(f"task = {spelling} is a class", hint="name a function or an object")
    return _from_function(found, str(spelling), str(spelling), batch)


def _imported(spelling: Spelling, base: Path | None) -> ModuleType:
    assert spelling.module is not None, "a spelling names a file or a module"
    return import_name(spelling.module, base)


def _attribute(module: ModuleType, spelling: Spelling) -> Any:
    found: Any = module
    for name in (spelling.attribute or "").split("."):
        if not hasattr(found, name):
            close = nearest(name, _callables(found))
            have = ", ".join(sorted(_callables(found))) or "no function"
            raise ConfigError(f"{spelling.file or spelling.module} has no {spelling.attribute}",
                              hint=f"did you mean {close}?" if close else f"it has {have}",
                              )  # fmt: skip
        found = getattr(found, name)
    return found


def _from_members(holder: object, where: str, spec: str | None, batch: bool) -> Task:
    names = [name for name in (RECORD, BATCH) if getattr(holder, name, None) is not None]
    if len(names) == 2:
        raise ConfigError(f"{where} has both {RECORD} and {BATCH}", hint="keep one of the two")
    if not names:
        raise _no_task(holder, where)
    _refuse_misspelt_hooks(holder, where)
    _refuse_unused_batch_size(names[0], where, batch)
    hooks = {name: getattr(holder, name, None) for name in HOOKS}
    for name, hook in hooks.items():
        if hook is not None:
            hook_takes_context(hook, f"{where}: {name}")
    return _task(getattr(holder, names[0]), where, f"{where}: {names[0]}", spec,
                 is_batch=names[0] == BATCH, hooks=hooks)  # fmt: skip


def _from_function(function: Callable[..., Any], where: str, spec: str | None, batch: bool) -> Task:
    name = getattr(function, "__name__", "")
    _refuse_unused_batch_size(name, where, batch)
    return _task(function, where, where, spec, is_batch=batch or name == BATCH, hooks={})


def _task(
    function: Callable[..., Any],
    name: str,
    what: str,
    spec: str | None,
    *,
    is_batch: bool,
    hooks: Mapping[str, Callable[..., Any] | None],
) -> Task:
    shape = shape_of(function, what, is_batch=is_batch)
    return Task(
        name=name,
        process=function,
        is_batch=is_batch,
        is_async=shape.is_async,
        takes_context=shape.takes_context,
        record_type=shape.record_type,
        spec=spec,
        **hooks,
    )


def _no_task(holder: object, where: str) -> ConfigError:
    names = _callables(holder)
    for name in names:
        meant = nearest(name, (RECORD, BATCH))
        if meant:
            return ConfigError(f"{where} has no {meant} but {name}",
                               hint=f"did you mean {meant}? rename {name}")  # fmt: skip
    hint = f"define {RECORD}(record, context) or {BATCH}(records, context)"
    if names:
        hint += f', or name the function: "{where}:{min(names)}"'
    return ConfigError(f"{where} has neither {RECORD} nor {BATCH}", hint=hint)


def _refuse_misspelt_hooks(holder: object, where: str) -> None:
    for hook in HOOKS:
        close = None if hasattr(holder, hook) else nearest(hook, _callables(holder), _TYPO)
        if close and close not in HOOKS:
            raise ConfigError(f"{where} has {close}, which nothing would call",
                              hint=f"did you mean {hook}? rename {close}")  # fmt: skip


def _refuse_unused_batch_size(name: str, where: str, batch: bool) -> None:
    if batch and name == RECORD:
        raise ConfigError(
            f"run.batch_size is set, and {where} takes its records one by one in {RECORD}",
            hint=f"define {BATCH}(records, context) instead, or leave batch_size out",
        )


def _callables(holder: object) -> list[str]:
    """Names of the functions that `holder` itself defines, not those it imported."""
    owner = getattr(holder, "__name__", None)
    return [
        name
        for name in dir(holder)
        if not name.startswith("_")
        and callable(member := getattr(holder, name, None))
        and not isinstance(member, type)
        and (owner is None or getattr(member, "__module__", owner) == owner)
    ]


def _name_of(function: object) -> str:
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__qualname__", type(inner).__name__))


def _spec_of_module(module: ModuleType) -> str | None:
    file = file_of(module)
    if file is not None:
        return file
    known = sys.modules.get(module.__name__) is module and module.__name__ != "__main__"
    return module.__name__ if known else None


def _spec_of_function(function: object) -> str | None:
    """The spelling "module:name", if that leads back to this very function."""
    name = getattr(function, "__qualname__", None)
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if not isinstance(name, str) or module is None:
        return None
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    place = _spec_of_module(module)
    return f"{place}:{name}" if found is function and place else None
