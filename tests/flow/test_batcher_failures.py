"""What callers get when process_batch fails."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

import pytest

from batchers import Doubling, Echo, Poisoned, Raising, gathered
from batchmill.flow.batcher import AsyncBatcher, BatchFailed, WrongResults
from batchmill.flow.batcher_answers import twin
from virtual_loop import run_virtually


class OddlyMade(Exception):
    """Its parameters are not its args."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.reason = reason


class Returning(AsyncBatcher[int, Any]):
    def __init__(self, results: Any, **options: Any) -> None:
        super().__init__(**options)
        self.results = results

    async def process_batch(self, batch: list[int]) -> Any:
        return self.results


async def answers_of(batcher: AsyncBatcher[Any, Any], *items: Any) -> list[Any]:
    return await gathered(*[batcher.process(item) for item in items])


def test_an_exception_among_the_results_is_its_caller_s_alone():
    error = ValueError("bad")

    one, two, three = run_virtually(answers_of(Echo(), 1, error, 3))

    assert (one, three) == (1, 3)
    assert two is error


def test_the_poison_item_is_found_and_the_others_succeed():
    async def scenario():
        batcher = Poisoned()
        answers = await answers_of(batcher, *range(20))
        return answers, batcher.stats()

    answers, stats = run_virtually(scenario())
    assert [n for n, answer in enumerate(answers) if isinstance(answer, ValueError)] == [13]
    assert str(answers[13]) == "poison: [13]"
    assert [answer for n, answer in enumerate(answers) if n != 13] == [
        2 * n for n in range(20) if n != 13
    ]
    assert stats.batches == 1
    assert stats.calls <= 2 * 5 + 1
    assert stats.failed == 1


@pytest.mark.parametrize("poison", [{0}, {19}, {3, 4}, {0, 7, 19}, set(range(1, 20))])
def test_several_poison_items_are_found(poison):
    async def scenario():
        batcher = Poisoned()
        batcher.poison = frozenset(poison)
        return await answers_of(batcher, *range(20)), batcher.stats().calls

    answers, calls = run_virtually(scenario())
    assert {n for n, answer in enumerate(answers) if isinstance(answer, ValueError)} == poison
    assert calls <= 2 * 20 - 1


def test_without_split_all_callers_of_a_failed_batch_fail_after_one_call():
    async def scenario():
        batcher = Poisoned(split=False)
        return await answers_of(batcher, *range(20)), batcher.stats().calls

    answers, calls = run_virtually(scenario())
    assert {type(answer) for answer in answers} == {ValueError}
    assert calls == 1


def test_each_caller_gets_an_exception_object_of_its_own():
    answers = run_virtually(answers_of(Poisoned(split=False), *range(20)))

    assert len({id(answer) for answer in answers}) == 20
    assert {str(answer) for answer in answers} == {"poison: [13]"}


def test_an_exception_given_for_several_items_is_a_different_one_for_each():
    error = OddlyMade(4, reason="tired")

    answers = run_virtually(answers_of(Returning([error, error, error]), 1, 2, 3))

    assert len({id(answer) for answer in answers}) == 3
    assert {(type(answer), str(answer), answer.code, answer.reason) for answer in answers} == {
        (OddlyMade, "code 4", 4, "tired")
    }


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a", 1),
        OddlyMade(3, reason="x"),
        OSError(2, "No such file", "name"),
        KeyError("k"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        ExceptionGroup("several", [ValueError("a"), KeyError("b")]),
    ],
)
def test_a_twin_says_the_same_and_is_another(error):
    error.__cause__ = RuntimeError("why")

    other = twin(error)

    assert other is not error
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert other.args == error.args
    assert other.__cause__ is error.__cause__


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([1], "got 2 items and returned 1 results"),
        ([1, 2, 3], "got 2 items and returned 3 results"),
        ({1: 1, 2: 2}, "got 2 items and returned a dict"),
        ({1, 2}, "got 2 items and returned a set"),
        ("ab", "got 2 items and returned a str"),
        (b"ab", "got 2 items and returned a bytes"),
        (7, "got 2 items and returned a int"),
        (iter([1, 2]), "got 2 items and returned a list_iterator"),
    ],
)
def test_results_of_a_wrong_number_or_kind_are_said_to_be_wrong(results, message):
    async def scenario():
        batcher = Returning(results)
        return await answers_of(batcher, 1, 2), batcher.stats().calls

    answers, calls = run_virtually(scenario())
    assert [type(answer) for answer in answers] == [WrongResults, WrongResults]
    assert message in str(answers[0])
    assert calls == 1, "to split would not help"


@pytest.mark.parametrize(
    "results", [[1, 2], (1, 2), collections.deque([1, 2]), {1: 1, 2: 2}.values(), range(1, 3)]
)
def test_results_may_be_anything_with_an_order_and_a_length(results):
    assert run_virtually(answers_of(Returning(results), 5, 6)) == [1, 2]


def test_no_results_stand_for_none_for_everyone():
    assert run_virtually(answers_of(Returning(None), 5, 6)) == [None, None]


@pytest.mark.parametrize(
    "error", [StopIteration(3), StopAsyncIteration(), asyncio.CancelledError(), GeneratorExit()]
)
def test_what_must_not_be_raised_in_a_caller_is_carried_as_the_cause(error):
    given, other = run_virtually(answers_of(Echo(), error, 1))
    (raised,) = run_virtually(answers_of(Raising(), error))

    assert other == 1
    assert isinstance(given, BatchFailed)
    assert given.__cause__ is error
    assert isinstance(raised, (BatchFailed, RuntimeError))


class Quit(BaseException):
    pass


def test_an_exception_that_is_none_of_exception_hangs_nobody():
    (answer,) = run_virtually(answers_of(Raising(), Quit("now")))

    assert isinstance(answer, BatchFailed)
    assert isinstance(answer.__cause__, Quit)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_batch_answers_its_callers_and_goes_on_to_the_loop(error):
    call = None

    async def scenario():
        nonlocal call
        call = Raising().submit(error())
        await call

    with pytest.raises(error):
        run_virtually(scenario())
    assert isinstance(call.exception(), BatchFailed)


def test_a_failure_does_not_stop_the_batcher():
    async def scenario():
        batcher = Poisoned(max_queue_time=0)
        return [*await answers_of(batcher, 13), await batcher.process(1)]

    error, answer = run_virtually(scenario())
    assert isinstance(error, ValueError)
    assert answer == 2


def test_a_shared_item_that_fails_fails_each_of_its_callers():
    answers = run_virtually(answers_of(Poisoned(dedupe=lambda item: item), 13, 1, 13))

    assert [type(answer) for answer in answers] == [ValueError, int, ValueError]
    assert answers[0] is not answers[2]


def test_an_awaited_call_that_is_cancelled_inside_a_batch_is_a_failure_of_that_batch():
    class SelfCancelling(Doubling):
        async def process_batch(self, batch):
            inner = asyncio.ensure_future(asyncio.sleep(60))
            inner.cancel()
            await inner
            return batch

    async def scenario():
        return await asyncio.wait_for(gathered(SelfCancelling().process(1)), 1)

    (answer,) = run_virtually(scenario())
    assert isinstance(answer, BatchFailed)
