"""The batchers of an object, one for each method.

They lie in the object's `__dict__`, so they live and die with it, and nothing is asked of it:
neither a hash, nor equality, nor that it can be referred to weakly.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_AS = "__batchers__"
"""The name in the `__dict__` of an object or, for class methods, of a class."""

_making = RLock()
"""Held while a batcher is made, so that threads that ask at the same time get the same one."""


class OwnBatchers:
    """The batchers of one object. A copy of the object, pickled or not, begins without any."""

    __slots__ = ("by_method", "owner")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.by_method: dict[object, Any] = {}

    def __reduce__(self) -> Any:
        return type(None), ()


def batcher_of(owner: object, method: object, make: Callable[[], Any]) -> Any:
    """The batcher of `owner` for `method`; made by `make` when it is first asked for.

    `method` is told apart by identity, not by a name: an override, what it overrides, and all
    that one factory makes have batchers of their own. Raises TypeError if `owner` has no
    `__dict__` to keep them in.
    """
    known = _known(owner)
    found = known.by_method.get(method) if known else None
    if found is None:
        with _making:
            own = _known(owner) or _begun(owner)
            found = own.by_method.get(method) or own.by_method.setdefault(method, make())
    return found


def _known(owner: object) -> OwnBatchers | None:
    """What is kept for `owner`; not what came along when another object's `__dict__` was copied."""
    try:
        kept = vars(owner).get(KEPT_AS)
    except TypeError:
        kind = type(owner).__name__
        raise TypeError(
            f"{kind!r} has no __dict__ to keep the batcher of a @batched method in; "
            'add "__dict__" to its __slots__'
        ) from None
    return kept if isinstance(kept, OwnBatchers) and kept.owner is owner else None


def _begun(owner: object) -> OwnBatchers:
    own = OwnBatchers(owner)
    if isinstance(owner, type):
        type.__setattr__(owner, KEPT_AS, own)
    else:
        vars(owner)[KEPT_AS] = own
    return own
