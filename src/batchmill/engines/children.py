"""How does what a task defines reach processes that the task itself starts?

By its name, which they look up, as `multiprocessing` has it; and by value where they would not find
it: what a script defines, which is not the script of a worker process, and what a file defines that
cannot be imported.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import Any

import cloudpickle

from ..tasks.spelling import MADE
from .wire import by_value


def reach_children() -> None:
    """Let what only this process can find by its name travel to others by value."""
    ForkingPickler.reducer_override = _reduced  # type: ignore[method-assign]


def _reduced(_: Any, value: Any) -> Any:
    """Asked by `multiprocessing` for whatever it sends."""
    if not isinstance(value, FunctionType | type) or _is_found(value):
        return NotImplemented
    with _as_values(sys.modules.get(value.__module__)):
        return _arrived, (by_value(value),)


def _arrived(pickled: bytes) -> Any:
    """In a child: what it sends back travels as it came."""
    reach_children()
    return pickle.loads(pickled)  # noqa: S301 - from the process that has started this one


def _is_found(value: FunctionType | type) -> bool:
    """Whether a process that is started by this one finds the value by its name."""
    name = str(value.__module__)
    if name != "__main__":
        return not name.startswith(MADE)
    found: Any = sys.modules.get(name)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value


@contextlib.contextmanager
def _as_values(module: Any) -> Iterator[None]:
    """What the module defines is not to be looked up in it."""
    if module is None or module.__name__ == "__main__":
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)
