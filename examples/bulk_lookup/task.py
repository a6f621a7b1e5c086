"""What does an article cost? Asks a service that takes many articles in one request.

Each record asks for its own article. The batcher, which all records share, makes one request of all
that are waiting; the job sees single records, with outcomes and retries of their own.
"""

import os
from typing import Any

import aiohttp

from batchmill import AsyncBatcher

REFUSED = 400


class Prices(AsyncBatcher[str, int | None]):
    """The price of an article in cents; None for one that the service does not know."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__(max_batch_size=100, max_queue_time=0.02, concurrency=4, dedupe=str)
        self._session = session
        self._url = url

    async def process_batch(self, batch: list[str]) -> list[int | BaseException | None]:
        """One request. A refusal is raised, and made again with halves to find the article that is
        refused; any other failure has nothing to do with the articles, so all are told at once."""
        try:
            prices = await self._ask(batch)
        except aiohttp.ClientError as error:
            if isinstance(error, aiohttp.ClientResponseError) and error.status == REFUSED:
                raise
            return [error] * len(batch)
        return [prices.get(article) for article in batch]

    async def _ask(self, articles: list[str]) -> dict[str, int]:
        async with self._session.post(f"{self._url}/prices", json=articles) as response:
            response.raise_for_status()
            prices: dict[str, int] = await response.json()
            return prices


async def on_startup() -> dict[str, Any]:
    session = aiohttp.ClientSession()
    return {"session": session, "prices": Prices(session, os.environ["PRICES_URL"])}


async def process_record(record: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    price = await context["prices"].process(record["article"])
    if price is None:
        raise LookupError(f"no article {record['article']!r}")
    return record | {"price": price}


async def on_shutdown(context: dict[str, Any]) -> None:
    if "prices" in context:
        await context["prices"].stop()
        await context["session"].close()
