"""How does a function or method of a batch become one of a single item?"""

from __future__ import annotations

from functools import partial, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from .batcher_base import AsyncBatcher
from .batcher_call import is_elsewhere
from .batcher_owners import batcher_of

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Collection,
        Coroutine,
        Mapping,
        Sequence,
    )
    from typing import Self, Unpack

    from .batcher_settings import BatcherOptions

    Function = Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]

T = TypeVar("T")
S = TypeVar("S")


class Batched(AsyncBatcher[T, S]):
    """An AsyncBatcher that is called like the function it was made of, with a single item.

    As a method it is a batcher for each object, which lives and dies with it; as a class method,
    for each class. Called with two arguments it is that of the first: `Base.price(self, name)`.
    """

    def __init__(
        self,
        function: Function,
        *,
        _origin: Batched[T, S] | None = None,
        _owner: object | None = None,
        **options: Unpack[BatcherOptions[T]],
    ) -> None:
        """`function` may be a static or a class method."""
        super().__init__(**options)
        # A method that is bound already stays so, wherever it is kept.
        self._is_static = isinstance(function, (staticmethod, MethodType))
        self._is_of_class = isinstance(function, classmethod)
        self.function = _plain(function)
        self._origin = _origin or self
        self._owner = _owner
        self._options = options
        update_wrapper(self, self.function, updated=())
        _add_new(vars(self), getattr(self.function, "__dict__", {}), known=dir(self))

    @overload
    def __call__(
        self, item: T, *, priority: float = 0, timeout: float | None = None
    ) -> Coroutine[Any, Any, S]: ...
    @overload
    def __call__(
        self, owner: Any, item: T, /, *, priority: float = 0, timeout: float | None = None
    ) -> Coroutine[Any, Any, S]: ...
    def __call__(
        self, item: Any, *more: Any, priority: float = 0, timeout: float | None = None
    ) -> Coroutine[Any, Any, S]:
        """See AsyncBatcher.process. Raises TypeError for more than an owner and an item."""
        if more:
            return self._unbound(item, *more, priority=priority, timeout=timeout)
        return self.process(item, priority=priority, timeout=timeout)

    def _unbound(self, owner: object, *items: Any, **how: Any) -> Coroutine[Any, Any, S]:
        if len(items) != 1 or self._is_static or self._owner is not None:
            raise TypeError(f"{self!r} takes a single item")
        return self.__get__(owner).process(*items, **how)

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
        if self._is_of_class:
            owner = owner if kind is None else kind
        if owner is None or self._is_static or self._owner is not None:
            return self
        bound: Self = batcher_of(owner, self, partial(self._bound_to, owner))
        return bound

    def _bound_to(self, owner: object) -> Self:
        """Made in the context of the decorator: the caller who happens to be first has no part."""
        make = partial(type(self), self.function, _origin=self, _owner=owner, **self._options)
        return self._pump.context.copy().run(make)

    def __reduce__(self) -> Any:
        """By its name, like a function, or as that of its owner."""
        if self._owner is not None:
            return type(self).__get__, (self._origin, self._owner)
        return self.function.__qualname__


def _add_new(own: dict[str, Any], others: Mapping[str, Any], known: Collection[str]) -> None:
    """Take over what a function was marked with, and nothing that a batcher has itself."""
    own.update({name: value for name, value in others.items() if name not in known})


def _plain(function: Function) -> Callable[..., Any]:
    return function.__func__ if isinstance(function, (staticmethod, classmethod)) else function


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
    @overload
    def __call__(
        self,
        function: classmethod[Any, [list[T]], Coroutine[Any, Any, Sequence[S | BaseException]]],
    ) -> Batched[T, S]: ...
    @overload
    def __call__(
        self, function: classmethod[Any, [list[T]], Sequence[S | BaseException]]
    ) -> Batched[T, S]: ...


def batched(**options: Unpack[BatcherOptions[Any]]) -> Decorator:
    """Make a function of a batch, async or not, one of a single item:

        @batched(max_batch_size=100)
        async def lookup(ids: list[int]) -> list[User]: ...

        user = await lookup(42)

    Options are those of AsyncBatcher. What comes out is an AsyncBatcher too: `lookup.submit(42)`,
    `await lookup.stop()`, `lookup.stats()`. A method becomes a batcher of each object.
    """

    def decorate(function: Function) -> Batched[Any, Any]:
        return Batched(function, **options)

    return decorate
