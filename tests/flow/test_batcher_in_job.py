"""Single records of a job reach a real service in bulk requests: the example `bulk_lookup`."""

from __future__ import annotations

import asyncio
import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from batchmill import Job, Retry, arun

EXAMPLE = Path(__file__).parents[2] / "examples" / "bulk_lookup"


def _load(name):
    spec = importlib.util.spec_from_file_location(f"bulk_lookup_{name}", EXAMPLE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


task, server = _load("task"), _load("server")


class Watched:
    """The example's task, whose context can be looked at when the job is over."""

    context = None

    async def on_startup(self):
        self.context = await task.on_startup()
        return self.context

    async def process_record(self, record, context):
        return await task.process_record(record, context)

    async def on_shutdown(self, context):
        await task.on_shutdown(context)


@pytest.fixture
def play(monkeypatch):
    """Runs a job over these articles; gives the report, the service and the task."""

    def run(articles, **settings):
        service, watched = server.PriceServer(), Watched()
        records = [{"id": n, "article": article} for n, article in enumerate(articles)]
        retry = Retry(max_attempts=10, wait_min_s=0.001, wait_max_s=0.001)
        job = Job(source=records, task=watched, key="id", retry=retry, **settings)

        async def scenario():
            async with service.running() as url:
                monkeypatch.setenv("PRICES_URL", url)
                return await arun(job)

        return asyncio.run(scenario()), service, watched

    return run


def test_every_record_gets_its_own_price_by_few_requests(play):
    articles = [f"a-{n * 37 % 1000}" for n in range(2_000)]

    report, service, _ = play(articles, concurrency=400, order="input")

    prices = [server.price(n * 37 % 1000) for n in range(2_000)]
    assert prices == [result["price"] for result in report.results]
    assert max(service.sizes) <= server.MOST
    assert len(service.sizes) <= 200


def test_only_the_records_that_are_bad_become_dead_letters(play):
    articles = ["a-1", "not an article", "a-5000", "a-2", "a-3"] * 20

    report, _, _ = play(articles, concurrency=400)

    assert report.succeeded == 60
    assert report.failed == 40


def test_a_record_waits_for_a_batch_only_so_long_if_no_other_comes(play):
    report, service, _ = play([f"a-{n}" for n in range(5)], concurrency=1)

    assert report.succeeded == 5
    assert Counter(service.sizes) == {1: 5}


def test_the_batcher_ends_with_the_job(play):
    _, _, watched = play(["a-1"])

    assert watched.context["session"].closed
    assert "stopped" in repr(watched.context["prices"])
