"""A @batched method is told apart by what it is, and belongs to the object that it is called on."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from batchmill.flow.batcher import Batched, batched
from virtual_loop import run_virtually


def loader(tag: str) -> Batched:
    async def load(self, keys):
        return [f"{tag}:{key}" for key in keys]

    return batched(max_batch_size=10)(load)


class Repo:
    by_id, by_name = loader("id"), loader("name")
    by_key = by_id
    upper = batched()(lambda self, keys: [key.upper() for key in keys])
    lower = batched()(lambda self, keys: [key.lower() for key in keys])
    first = batched()(partial(lambda n, self, keys: [key[:n] for key in keys], 1))
    last = batched()(partial(lambda n, self, keys: [key[n:] for key in keys], -1))


class Base:
    tag = "of base"

    @batched()
    async def price(self, names):
        return [f"base {name}" for name in names]

    @batched()
    @classmethod
    async def label(cls, names):
        return [f"{name} {cls.tag}" for name in names]

    @batched()
    @staticmethod
    async def same(names):
        return list(names)


class Sub(Base):
    tag = "of sub"

    @batched()
    async def price(self, names):
        return [f"sub({await super(Sub, self).price(name)})" for name in names]

    async def price_of_base(self, name):
        return await super().price(name)


class Sibling(Base):
    tag = "of sibling"


class OutermostClassMethod:
    tag = "of the class"

    @classmethod
    @batched()
    async def label(cls, names):
        return [f"{name} {cls.tag}" for name in names]


class Heir(OutermostClassMethod):
    tag = "of the heir"


def answers(*calls):
    async def scenario():
        return [await call() for call in calls]

    return run_virtually(scenario())


def test_what_one_factory_makes_does_not_share_a_batcher():
    repo = Repo()
    calls = [partial(repo.by_id, 1), partial(repo.by_name, "x"), partial(repo.by_id, 2)]
    assert ["id:1", "name:x", "id:2"] == answers(*calls)


def test_lambdas_do_not_share_a_batcher():
    repo = Repo()
    assert ["A", "a"] == answers(partial(repo.upper, "a"), partial(repo.lower, "A"))


def test_functions_without_a_name_can_be_methods():
    repo = Repo()
    assert ["a", "c"] == answers(partial(repo.first, "abc"), partial(repo.last, "abc"))


def test_two_names_of_one_method_are_one_batcher():
    repo = Repo()
    assert repo.by_id is repo.by_key


@pytest.mark.parametrize("overridden_first", [True, False])
def test_an_override_may_call_what_it_overrides(overridden_first):
    sub = Sub()
    calls = [partial(sub.price, "egg"), partial(sub.price_of_base, "egg")]
    got = answers(*calls[:: -1 if overridden_first else 1])
    assert {"sub(base egg)", "base egg"} == set(got)


def test_classes_that_inherit_a_method_do_not_share_a_batcher():
    base, sibling = Base(), Sibling()
    assert base.price is not sibling.price
    assert base.price is base.price


def test_a_method_may_be_called_as_that_of_a_class_with_the_object_first():
    sub = Sub()
    assert ["base egg"] == answers(partial(Base.price, sub, "egg"))
    assert Base.price.__get__(sub) is not sub.price


def test_a_class_method_is_a_batcher_of_each_class():
    assert Base.label is Base().label
    assert Base.label is not Sub.label
    calls = [partial(kind.label, "egg") for kind in (Base, Sub, Sibling, Sub())]
    assert ["egg of base", "egg of sub", "egg of sibling", "egg of sub"] == answers(*calls)


def test_a_class_method_may_be_marked_as_one_outermost():
    calls = [partial(kind.label, "egg") for kind in (Heir, OutermostClassMethod, Heir())]
    assert ["egg of the heir", "egg of the class", "egg of the heir"] == answers(*calls)


def test_an_overriding_class_method_may_call_what_it_overrides():
    class Overriding(Base):
        @batched()
        @classmethod
        async def label(cls, names):
            return [f"({await super(Overriding, cls).label(name)})" for name in names]

    class OverridingToo(OutermostClassMethod):
        @classmethod
        @batched()
        async def label(cls, names):
            return [f"({await super(OverridingToo, cls).label(name)})" for name in names]

    calls = [partial(kind.label, "egg") for kind in (Overriding, OverridingToo)]
    assert ["(egg of base)", "(egg of the class)"] == answers(*calls)


def test_a_static_method_is_one_batcher_for_all():
    assert Base.same is Sub().same
    assert ["egg"] == answers(partial(Sub().same, "egg"))


@pytest.mark.parametrize("call", [Base().price, Base.label, Base.same])
def test_more_than_one_item_is_refused(call):
    with pytest.raises(TypeError, match="takes a single item"):
        call("egg", "ham")


def test_a_bound_method_stays_bound_wherever_it_is_put():
    base = Base()

    class View:
        price = base.price

    assert View().price is base.price


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy_of_an_object_has_batchers_of_its_own(copied):
    base = Base()
    known = base.price
    other = copied(base)
    assert other.price is other.price is not known
    assert base.price is known


def test_a_bound_method_can_be_pickled_like_any_other():
    price = pickle.loads(pickle.dumps(Base().price))
    assert ["base egg"] == answers(partial(price, "egg"))


@dataclass(frozen=True)
class Frozen:
    factor: int

    @batched()
    async def times(self, numbers):
        return [self.factor * number for number in numbers]


def test_equal_objects_do_not_share_a_batcher():
    first, second = Frozen(2), Frozen(2)
    assert first == second
    assert first.times is not second.times
    assert [6] == answers(partial(first.times, 3))


class Secretive:
    """Neither hashable nor comparable, and it does not like to be given attributes."""

    __hash__ = None

    def __eq__(self, other):
        raise ValueError("do not compare me")

    def __setattr__(self, name, value):
        raise AttributeError(name)

    __slots__ = ("__dict__",)

    @batched()
    async def same(self, items):
        return items


def test_nothing_is_asked_of_an_object_but_a_dict():
    assert [1, 2] == answers(
        partial((secretive := Secretive()).same, 1), partial(secretive.same, 2)
    )


def test_what_a_callable_knows_does_not_get_into_its_batcher():
    class Doubler:
        def __init__(self):
            self.function = self.process = self._pump = self._owner = "its own"

        async def __call__(self, numbers):
            return [2 * number for number in numbers]

    assert [6] == answers(partial(batched()(Doubler()), 3))


def test_what_a_function_is_marked_with_its_batcher_is_marked_with():
    class Priced(ABC):
        @batched()
        @abstractmethod
        async def price(self, names): ...

    class WithPrice(Priced):
        @batched()
        async def price(self, names):
            return names

    with pytest.raises(TypeError, match="abstract"):
        Priced()
    assert ["egg"] == answers(partial(WithPrice().price, "egg"))


def test_threads_that_ask_at_the_same_time_get_the_same_batcher():
    base, start, got = Base(), threading.Barrier(8), []

    def ask():
        start.wait(timeout=10)
        got.append(base.price)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert 8 == len(got)
    assert 1 == len(set(map(id, got)))


class Worked:
    """The executor is set by the test; its batches are pickled, with the object."""

    pool = None

    def __init__(self, factor):
        self.factor = factor

    @batched()
    def times(self, numbers):
        return [self.factor * number for number in numbers]


class WorkedToo(Worked):
    @batched()
    def times(self, numbers):
        return [-self.factor * number for number in numbers]


class Prices:
    async def of(self, keys):
        return [(self, key) for key in keys]


def test_a_method_that_is_bound_stays_so_as_an_attribute_of_another_class():
    prices = Prices()

    class Shop:
        price = batched()(prices.of)

    assert run_virtually(Shop().price(1)) == (prices, 1)


def test_an_override_is_found_by_its_own_name_in_a_worker_process():
    async def scenario(pool):
        worked = WorkedToo(2)
        mine = Batched(
            WorkedToo.times.function, _origin=WorkedToo.times, _owner=worked, executor=pool
        )
        base = Batched(Worked.times.function, _origin=Worked.times, _owner=worked, executor=pool)
        return await asyncio.gather(mine(3), base(3))

    with ProcessPoolExecutor(1) as pool:
        assert [-6, 6] == asyncio.run(scenario(pool))
