"""How does a function or method of a batch become one of a single item?"""

from __future__ import annotations

from functools import partial, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from .batcher_base import AsyncBatcher
from .batcher_call import is_elsewhere

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Self, Unpack

    from .batcher_settings import BatcherOptions

T = TypeVar("T")
S = TypeVar("S")


class Batched(AsyncBatcher[T, S]):
    """An AsyncBatcher that is called like the function it was made of, with a single item.

    As a method it is a batcher for each object, which lives and dies with it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        _origin: Batched[T, S] | None = None,
        _owner: object | None = None,
        **options: Unpack[BatcherOptions[T]],
    ) -> None:
        super().__init__(**options)
        self.function = function
        self._origin = _origin or self
        self._owner = _owner
        self._options = options
        update_wrapper(self, function)

    def __call__(
        self, item: T, *, priority: float = 0, timeout: float | None = None
    ) -> Coroutine[Any, Any, S]:
        """See AsyncBatcher.process."""
        return self.process(item, priority=priority, timeout=timeout)

    def process_batch(self, batch: list[T]) -> Any:
        """Call the function."""
        return self._function()(batch)

    def _function(self) -> Callable[[list[T]], Any]:
        if is_elsewhere(self.executor):
            return partial(_call_found, self._owner, self._origin)
        if self._owner is not None:
            return MethodType(self.function, self._owner)
        return self.function

    def __get__(self, owner: object | None, kind: type | None = None) -> Self:
        """The batcher of `owner`, made when it is first asked for. Raises TypeError if `owner`
        has no `__dict__` to keep it in."""
        if owner is None:
            return self
        key = f"_batched_{self.function.__name__}"
        try:
            known = vars(owner).get(key)
        except TypeError:
            raise TypeError(f"{kind} has no __dict__, which @batched methods need") from None
        if isinstance(known, type(self)) and known._owner is owner:  # noqa: SLF001 - of this class
            return known
        bound = self._bound_to(owner)
        vars(owner)[key] = bound
        return bound

    def _bound_to(self, owner: object) -> Self:
        """Made in the context of the decorator: the caller who happens to be first has no part."""
        make = partial(type(self), self.function, _origin=self, _owner=owner, **self._options)
        return self._pump.context.copy().run(make)

    def __reduce__(self) -> Any:
        """By its name, like a function; a copy of its owner makes a batcher of its own."""
        return (type(None), ()) if self._owner is not None else self.function.__qualname__


def _call_found(owner: object | None, batched: Batched[Any, Any], batch: list[Any]) -> Any:
    """In a worker process, where `batched` was found by its name."""
    return batched.function(batch) if owner is None else batched.function(owner, batch)


class Decorator(Protocol):
    """What `batched(...)` returns: it takes a function of a batch, or a method of one."""

    @overload
    def __call__(
        self, function: Callable[[list[T]], Awaitable[Sequence[S | BaseException] | None]]
    ) -> Batched[T, S]: ...
    @overload
    def __call__(
        self, function: Callable[[list[T]], Sequence[S | BaseException] | None]
    ) -> Batched[T, S]: ...
    @overload
    def __call__(
        self, function: Callable[[Any, list[T]], Awaitable[Sequence[S | BaseException] | None]]
    ) -> Batched[T, S]: ...
    @overload
    def __call__(
        self, function: Callable[[Any, list[T]], Sequence[S | BaseException] | None]
    ) -> Batched[T, S]: ...


def batched(**options: Unpack[BatcherOptions[Any]]) -> Decorator:
    """Make a function of a batch, async or not, one of a single item:

        @batched(max_batch_size=100)
        async def lookup(ids: list[int]) -> list[User]: ...

        user = await lookup(42)

    Options are those of AsyncBatcher. What comes out is an AsyncBatcher too: `lookup.submit(42)`,
    `await lookup.stop()`, `lookup.stats()`. A method becomes a batcher of each object.
    """

    def decorate(function: Callable[..., Any]) -> Batched[Any, Any]:
        return Batched(function, **options)

    return decorate
