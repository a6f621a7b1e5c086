"""A web service that predicts; each request brings one row.

    python service.py none|async-batcher|batchmill|batchmill-auto

POST / takes a row as a JSON list of 64 numbers (an image of a digit, 8 by 8) and gives the digit.
It prints its address, on a port that the system chooses, when it is ready.
"""

import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchmill.batchers.predict import SklearnBatcher

SETTINGS: dict[str, Any] = {"max_batch_size": 64, "max_queue_time": 0.005, "concurrency": 1}

Predict = Callable[[list[float]], Awaitable[Any]]


def trained() -> Any:
    """A model of 100 trees that reads digits."""
    rows, digits = load_digits(return_X_y=True)
    return RandomForestClassifier(100, random_state=0).fit(rows, digits)


@asynccontextmanager
async def unbatched(model: Any) -> AsyncIterator[Predict]:
    """Each row alone, in a thread."""

    async def predict(row: list[float]) -> Any:
        return (await run_in_threadpool(model.predict, [row]))[0]

    yield predict


@asynccontextmanager
async def by_async_batcher(model: Any) -> AsyncIterator[Predict]:
    from async_batcher.ml.sklearn import model as peer  # type: ignore[import-not-found]

    batcher = peer.SklearnAsyncBatcher(model=model, **SETTINGS)
    yield batcher.process
    await batcher.stop(force=True)


@asynccontextmanager
async def by_batchmill(model: Any) -> AsyncIterator[Predict]:
    async with SklearnBatcher(model, **SETTINGS) as batcher:
        yield batcher.process


@asynccontextmanager
async def by_batchmill_auto(model: Any) -> AsyncIterator[Predict]:
    """It finds out by itself how long waiting pays."""
    async with SklearnBatcher(model, **SETTINGS | {"max_queue_time": "auto"}) as batcher:
        yield batcher.process


WAYS = {
    "none": unbatched,
    "async-batcher": by_async_batcher,
    "batchmill": by_batchmill,
    "batchmill-auto": by_batchmill_auto,
}


def app_for(way: str) -> Starlette:
    """The service, with the rows batched in one of WAYS."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with WAYS[way](trained()) as app.state.predict:
            yield

    async def predict(request: Request) -> Response:
        digit = await request.app.state.predict(orjson.loads(await request.body()))
        return Response(orjson.dumps(int(digit)), media_type="application/json")

    return Starlette(routes=[Route("/", predict, methods=["POST"])], lifespan=lifespan)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as place:
        print(f"http://127.0.0.1:{place.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app_for(sys.argv[1]), log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[place])


if __name__ == "__main__":
    main()
