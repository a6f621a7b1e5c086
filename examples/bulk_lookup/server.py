"""A service with prices: POST /prices takes a list of articles and gives {article: cents}.

It knows the articles "a-0" to "a-999". It refuses a whole request for one article that is not
spelled like that (400), takes 100 articles at most (413), and every tenth request is too much for
it (503).
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

MOST = 100
KNOWN = 1_000
OVERLOADED_EVERY = 10


class PriceServer:
    """Answers, and counts: `sizes` has the number of articles of each request it was asked."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def prices(self, request: web.Request) -> web.Response:
        articles: list[str] = await request.json()
        self.sizes.append(len(articles))
        if len(self.sizes) % OVERLOADED_EVERY == 0:
            raise web.HTTPServiceUnavailable
        if len(articles) > MOST:
            raise web.HTTPRequestEntityTooLarge(MOST, len(articles))
        if not all(re.fullmatch(r"a-\d+", article) for article in articles):
            raise web.HTTPBadRequest(text="not an article")
        numbers = {article: int(article[2:]) for article in articles}
        return web.json_response({a: price(n) for a, n in numbers.items() if n < KNOWN})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Its address, on a port that the system chooses."""
        app = web.Application()
        app.router.add_post("/prices", self.prices)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def price(number: int) -> int:
    return 100 + 7 * number
