"""An endpoint that answers as OpenAI's /v1/embeddings does, on a port of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MODEL, KEY = "tiny-embedding", "secret"


class EmbeddingServer:
    """Answers out of order; refuses empty texts; begins with `answers`, each for one request."""

    def __init__(self, *answers: Callable[[], web.Response]) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.bodies: list[dict[str, Any]] = []

    async def embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        self.asked.append(body["input"])
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return refusal(401, "Incorrect API key provided")
        if self.answers:
            return self.answers.pop(0)()
        if "" in body["input"]:
            return refusal(400, "'$.input' is invalid: empty string")
        data = [
            {"object": "embedding", "index": n, "embedding": vector(text)}
            for n, text in enumerate(body["input"])
        ]
        return web.json_response({"object": "list", "data": data[::-1], "model": body["model"]})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Its base address."""
        app = web.Application()
        app.router.add_post("/v1/embeddings", self.embeddings)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()


def vector(text: str) -> list[float]:
    """What stands for the meaning of a text."""
    return [float(len(text)), float(sum(map(ord, text)))]


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error"}}
    return web.json_response(body, status=status, headers=headers)


def refused(*args: Any) -> Callable[[], web.Response]:
    """Makes such a refusal for one request."""
    return partial(refusal, *args)
