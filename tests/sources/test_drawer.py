"""An iterable is drawn in one thread, ahead of whoever takes its items, who never waits for it."""

from __future__ import annotations

import contextvars
import itertools
import threading

import pytest

from batchmill.errors import SourceError
from batchmill.sources import drawer as drawer_module
from batchmill.sources.drawer import LEAST_AHEAD, MOST_AHEAD, Drawer

PATIENCE_S = 20.0


class Taker:
    """Takes from a drawer, as often as it says that there is something."""

    def __init__(self, items, together=1):
        self.heard = threading.Event()
        self.drawer = Drawer(items, self.heard.set, together)

    def __enter__(self):
        self.drawer.__enter__()
        return self

    def __exit__(self, *error):
        self.drawer.__exit__(*error)

    def some(self):
        """What there is next; StopIteration at the end."""
        while not (found := next(self.drawer)):
            assert self.heard.wait(PATIENCE_S), "there is more, and nobody was told"
            self.heard.clear()
        return found

    def rest(self):
        try:
            while True:
                yield self.some()
        except StopIteration:
            return


class Held:
    """A generator that gives some items and waits then; who draws it and when it is closed."""

    def __init__(self, *items):
        self.items = items
        self.go_on = threading.Event()
        self.closed = threading.Event()
        self.threads = set()

    def __iter__(self):
        try:
            for item in self.items:
                self.threads.add(threading.current_thread())
                yield item
            self.go_on.wait(PATIENCE_S)
            yield "more"
        finally:
            self.threads.add(threading.current_thread())
            self.closed.set()


def test_every_item_is_given_once_and_in_order():
    with Taker(iter(range(20_000))) as taker:
        lists = list(taker.rest())

    assert list(range(20_000)) == list(itertools.chain.from_iterable(lists))
    assert max(map(len, lists)) <= MOST_AHEAD


def test_what_is_there_is_given_while_the_iterable_waits():
    held = Held(1, 2, 3)
    with Taker(held) as taker:
        found = taker.some()
        while len(found) < 3:
            found += taker.some()
        assert [] == next(taker.drawer)

        held.go_on.set()
        assert [["more"]] == list(taker.rest())

    assert [1, 2, 3] == found


def test_it_is_drawn_and_closed_in_one_thread_that_is_not_the_takers():
    held = Held(*range(5000))
    with Taker(held) as taker:
        taker.some()

    assert held.closed.wait(PATIENCE_S)
    (thread,) = held.threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_one_that_gives_nothing_more_is_left_with_its_thread_and_closed_when_it_does(monkeypatch):
    monkeypatch.setattr(drawer_module, "LET_GO_S", 0.01)
    held = Held(1)
    with Taker(held) as taker:
        taker.some()
    (thread,) = held.threads

    assert thread.daemon
    assert not held.closed.is_set()
    held.go_on.set()
    assert held.closed.wait(PATIENCE_S)


def test_no_more_is_drawn_ahead_than_is_allowed():
    drawn = itertools.count()
    with Taker(drawn) as taker:
        taken = len(taker.some())

    assert next(drawn) - taken <= 2 * MOST_AHEAD


def test_slow_takers_have_little_drawn_ahead(monkeypatch):
    monkeypatch.setattr(drawer_module, "AHEAD_S", -1.0)
    with Taker(itertools.count()) as taker:
        sizes = [len(taker.some()) for _ in range(10)]

    assert sizes[-1] <= LEAST_AHEAD


class NotIterable:
    def __iter__(self):
        raise ValueError("not today")


def exits():
    yield 1
    raise SystemExit(3)


def stops():
    yield 1
    raise StopIteration


@pytest.mark.parametrize(
    ("items", "error", "before"),
    [
        (NotIterable(), ValueError, []),
        (5, TypeError, []),
        (exits(), SourceError, [1]),
        (stops(), RuntimeError, [1]),
        (map(int, ["1", "x"]), ValueError, [1]),
    ],
)
def test_what_it_raises_is_raised_behind_what_came_before(items, error, before):
    found = []
    with Taker(items) as taker, pytest.raises(error):
        found.extend(itertools.chain.from_iterable(taker.rest()))

    assert before == found


def test_calls_for_several_items_are_full_but_for_the_last():
    with Taker(iter(range(1000)), together=300) as taker:
        sizes = [len(some) for some in taker.rest()]

    assert all(size % 300 == 0 for size in sizes[:-1])
    assert sum(sizes) == 1000


def test_items_that_have_waited_for_others_are_given_without_them(monkeypatch):
    monkeypatch.setattr(drawer_module, "FILL_S", -1.0)
    held = Held(1, 2, 3)
    with Taker(held, together=2) as taker:
        found = []
        while len(found) < 3:
            found += next(taker.drawer)
        held.go_on.set()

    assert [1, 2, 3] == found


def test_it_sees_the_context_variables_of_its_user():
    name = contextvars.ContextVar("name", default="nobody")
    name.set("somebody")

    with Taker(name.get() for _ in range(1)) as taker:
        assert [["somebody"]] == list(taker.rest())


def test_what_it_raises_when_it_is_let_go_is_told(caplog):
    def items():
        try:
            yield from range(100)
        finally:
            raise OSError("it does not close")

    with Taker(items()) as taker:
        taker.some()

    assert "it does not close" in caplog.text
