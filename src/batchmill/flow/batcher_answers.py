"""How does each caller get its own result, or an exception of its own?

Nothing here raises for what a caller or process_batch does, and no future is left undone.
"""

from __future__ import annotations

import copy
from asyncio import Future, InvalidStateError
from collections import deque
from collections.abc import Mapping, Set, Sized
from typing import TYPE_CHECKING, Any, cast

from .batcher_errors import BatchFailed, WrongResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Caller = Future[Any]


def checked(results: object, count: int) -> list[Any]:
    """The results as a list of `count`; None stands for None for everyone.

    Raises WrongResults if they are of another number, or of a kind that has no order.
    """
    if results is None:
        return [None] * count
    if type(results) is not list:
        results = _listed(results, count)
    if len(results) != count:
        message = f"process_batch got {count} items and returned {len(results)} results"
        raise WrongResults(message)
    return results


def _listed(results: object, count: int) -> list[Any]:
    if isinstance(results, Sized) and not isinstance(results, (Mapping, Set, str, bytes)):
        return list(cast("Iterable[Any]", results))
    kind = type(results).__name__
    raise WrongResults(
        f"process_batch got {count} items and returned a {kind}, not a list of {count} results",
        hint="return a list with one result for each item, in the order of the items",
    )


def settle(callers: Sequence[Caller], results: Sequence[Any]) -> int:
    """Give each caller its result; returns how many of them got an exception."""
    for kind in set(map(type, results)):
        if issubclass(kind, BaseException):
            return _settle_each(callers, results)
    try:
        deque(map(Future.set_result, callers, results), maxlen=0)
    except InvalidStateError:  # somebody has gone: look at each
        return _settle_each(callers, results)
    return 0


def _settle_each(callers: Iterable[Caller], results: Iterable[Any]) -> int:
    failed = 0
    given: set[int] = set()
    for caller, result in zip(callers, results, strict=True):
        if caller.done():
            continue
        if isinstance(result, BaseException):
            caller.set_exception(bearable(twin(result) if id(result) in given else result))
            given.add(id(result))
            failed += 1
        else:
            caller.set_result(result)
    return failed


def fail(callers: Iterable[Caller], error: BaseException) -> int:
    """Give each caller this exception, or a twin of it; returns how many were still there."""
    waiting = [caller for caller in callers if not caller.done()]
    if waiting and waiting[0].get_loop().is_closed():  # nobody is left to hear it
        return 0
    return _settle_each(waiting, [error] * len(waiting))


def bearable(error: BaseException) -> Exception:
    """`error`, or a BatchFailed caused by it where a caller must not be hit by it as it is."""
    if isinstance(error, Exception) and not isinstance(error, (StopIteration, StopAsyncIteration)):
        return error
    failure = BatchFailed(f"the batch ended with {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def twin(error: BaseException) -> BaseException:
    """Another exception that says the same; the same one only if its type cannot be copied."""
    candidates = (made for make in (_remade, copy.copy) if (made := _tried(make, error)))
    found = next((made for made in candidates if str(made) == str(error)), None)
    if found is None:
        return error
    found.__cause__ = error.__cause__
    found.__suppress_context__ = error.__suppress_context__
    return found.with_traceback(error.__traceback__)


def _tried(make: Callable[[Any], BaseException], error: BaseException) -> BaseException | None:
    """A copy by `make`, or None if it is not one. Whatever the user's class raises is no news."""
    try:
        made = make(error)
        good = type(made) is type(error) and made is not error and made.args == error.args
    except Exception:
        return None
    return made if good else None


def _remade(error: BaseException) -> BaseException:
    """Made without calling `__init__`, whose parameters need not be `args`."""
    kind = type(error)
    made = kind.__new__(kind, *error.args)
    made.args = error.args
    made.__dict__.update(error.__dict__)
    return made
