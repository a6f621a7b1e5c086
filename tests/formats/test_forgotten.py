"""A result that nobody has awaited is a failure that says so, wherever the result goes."""

from __future__ import annotations

import asyncio
import gc
import warnings
from dataclasses import dataclass

import pytest

from batchmill import Job, map, run  # noqa: A004
from batchmill.errors import UnencodableResult
from batchmill.formats.forgotten import refuse_forgotten


async def fetch(n):
    return {"id": n}


async def pages(n):
    yield {"id": n}


@dataclass
class Page:
    body: object


RESULTS = {
    "a coroutine": lambda record: fetch(1),
    "in a dict": lambda record: {"id": 1, "page": fetch(1), "other": fetch(2)},
    "deep in lists": lambda record: {"pages": [[1, fetch(1)], (fetch(2),)]},
    "in a list of results": lambda record: [{"id": 1}, {"id": 2, "page": fetch(2)}, fetch(3)],
    "in a dataclass": lambda record: Page(fetch(1)),
    "an async generator": lambda record: pages(1),
    "a generator in a dict": lambda record: {"pages": (n for n in range(3))},
}

SINKS = {"memory": None, "jsonl": "out.jsonl", "csv": "out.csv"}


@pytest.mark.parametrize("engine", ["async", "thread"])
@pytest.mark.parametrize("sink", SINKS.values(), ids=SINKS)
@pytest.mark.parametrize("task", RESULTS.values(), ids=RESULTS)
def test_what_nobody_has_awaited_is_a_failure_that_says_so_and_no_warning(
    tmp_path, task, sink, engine
):
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1}\n')

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = run(Job(source=source, task=task, sink=sink and tmp_path / sink, engine=engine,
                         systemic_after=0))  # fmt: skip
        gc.collect()

    assert 1 == report.failed
    told = report.failures[0].failure.message if sink is None else _told(tmp_path)
    assert "did you forget await?" in told


def _told(folder):
    (errors,) = folder.glob("*.errors.jsonl")
    return errors.read_text()


def test_the_place_in_the_result_is_named():
    later = fetch(1)

    with pytest.raises(UnencodableResult, match=r"result\['pages'\]\[1\]\['body'\] is a coro"):
        refuse_forgotten({"id": 1, "pages": [0, Page(later)]})


def test_the_outcome_of_map_is_a_dead_letter():
    (outcome,) = map(lambda n: fetch(n), [1])

    assert "did you forget await?" in outcome.failure.message


def test_a_batch_is_refused_as_a_whole_or_by_the_record_whose_result_it_is():
    whole = run(Job(source=[1, 2], task=lambda records: fetch(1), batch_size=2, systemic_after=0))
    one = run(Job(source=[1, 2], task=lambda records: [1, fetch(1)], batch_size=2))

    assert 2 == whole.failed
    assert "did you forget await?" in whole.failures[0].failure.message
    assert ([1], 1) == (one.results, one.failed)


def test_a_coroutine_that_somebody_runs_is_not_closed():
    async def task(record, context):
        running = asyncio.create_task(fetch(record))
        context.setdefault("tasks", []).append(running)
        return {"later": running}

    async def on_shutdown(context):
        awaited.append(await context["tasks"][0])

    awaited = []
    report = run(Job(source=[1], task=_Task(task, on_shutdown), systemic_after=0))

    assert (1, [{"id": 1}]) == (report.failed, awaited)


class _Task:
    def __init__(self, process_record, on_shutdown):
        self.process_record = process_record
        self.on_shutdown = on_shutdown


@pytest.mark.parametrize(
    "result",
    [None, 1, "text", {"a": [1.5, {"b": (None, {1, 2})}]}, Page({"a": 1}), [Page(1), object()]],
)
def test_whatever_is_there_passes(result):
    refuse_forgotten(result)


def test_a_result_as_deep_as_can_be_is_looked_through():
    result = {}
    for _ in range(100_000):
        result = {"in": result}

    refuse_forgotten(result)


def test_a_result_that_holds_itself_is_looked_through_once():
    result = {"id": 1}
    result["self"] = [result]

    refuse_forgotten(result)
