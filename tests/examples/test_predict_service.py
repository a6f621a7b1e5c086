"""The example: a web service that batches its predictions, and its load script."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "predict_service"


@pytest.fixture(scope="module")
def modules():
    """The example's own modules, which import each other by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        yield {name: importlib.import_module(name) for name in ("client", "load", "service")}
        for name in ("client", "load", "service"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def model(modules):
    return modules["service"].trained()


@pytest.mark.parametrize("way", ["none", "batchmill"])
def test_every_request_gets_the_prediction_for_its_own_row(modules, model, way):
    client, load = modules["client"], modules["load"]

    async def ask_at_once(url):
        pool, requests = client.Pool(url), client.requests_for(url)[:60]
        answers = await asyncio.gather(*map(pool.ask, requests))
        pool.close()
        rows = [client.orjson.loads(request.partition(b"\r\n\r\n")[2]) for request in requests]
        return rows, [int(answer) for answer in answers]

    with load.service(way) as url:
        rows, digits = asyncio.run(ask_at_once(url))

    assert digits == model.predict(rows).tolist()


def test_the_load_script_sees_what_callers_see(modules):
    load = modules["load"]

    async def both(url):
        return await load.closed(url, 8, 0.3), await load.poisson(url, 60, 0.5)

    with load.service("batchmill") as url:
        closed, poisson = asyncio.run(both(url))

    assert closed.per_s > 0
    assert 0 < poisson.p50_ms <= poisson.p99_ms
