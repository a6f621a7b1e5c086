"""Texts to vectors: single texts in, one request to an OpenAI-compatible endpoint out.

async with aiohttp.ClientSession() as session:
    embed = EmbeddingsBatcher(session, "https://api.example.com/v1", "some-model", api_key=key)
    vector = await embed.process("a text")
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import orjson

from ..core.kinds import TRANSIENT_STATUS
from ..errors import MissingDependency
from ..flow.batcher import AsyncBatcher, WrongResults
from ..flow.retrying import retry_with_backoff

try:
    import aiohttp
except ImportError:
    raise MissingDependency("aiohttp", "a batcher of embeddings", "http") from None

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Unpack

    from ..flow.batcher import BatcherOptions

MAX_TEXTS = 256
"""Texts in a request, unless said otherwise; OpenAI takes 2,048, others as few as 32."""

MAX_CHARACTERS = 250_000
"""Characters in a request, unless said otherwise; OpenAI takes 300,000 tokens."""

NOT_THE_TEXTS = TRANSIENT_STATUS | {401, 402, 403, 404, 405}
"""HTTP answers that do not depend on what was asked."""


class EmbeddingsBatcher(AsyncBatcher[str, list[float]]):
    """`process(text)` gives its vector.

    A batch holds at most MAX_TEXTS texts of MAX_CHARACTERS characters together; to count in tokens,
    give `cost` (a function of a text) and `max_batch_cost`. Vectors are matched to texts by the
    `index` that the service gives them.

    Connection errors, time-outs, HTTP 408, 425, 429 and 5xx are tried again, at most `retries`
    times with back-off; a Retry-After is waited for. After that, and after 401 to 405, everyone is
    told at once. Any other refusal (400, 413, 422) is taken for the fault of a text: the request is
    made again with halves of the texts, until those that are refused are alone.
    Callers get aiohttp.ClientResponseError with the status and the service's words.

    `session` is the caller's to close. `parameters` go into each request (dimensions, user).
    `sleep` and `jitter` are for tests.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        retries: int = 5,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        **options: Unpack[BatcherOptions[str]],
    ) -> None:
        options.setdefault("max_batch_size", MAX_TEXTS)
        options.setdefault("max_batch_cost", MAX_CHARACTERS)
        super().__init__(**options)
        self._session = session
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._body = {**(parameters or {}), "model": model}
        self._headers = {"Content-Type": "application/json"}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        patient = retry_with_backoff(retries, sleep=sleep, jitter=jitter)
        self._ask_patiently = patient(self._ask)

    async def process_batch(self, batch: list[str]) -> Sequence[list[float] | BaseException]:
        """A vector, or an exception, for each text."""
        try:
            return in_order(await self._ask_patiently(batch), len(batch))
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, aiohttp.ClientResponseError) and error.status not in NOT_THE_TEXTS:
                raise
            return [error] * len(batch)

    async def _ask(self, texts: list[str]) -> bytes:
        body = orjson.dumps({**self._body, "input": texts})
        async with self._session.post(self._url, data=body, headers=self._headers) as response:
            content = await response.read()
            if not response.ok:
                raise aiohttp.ClientResponseError(
                    response.request_info, response.history, status=response.status,
                    message=_words(content), headers=response.headers,
                )  # fmt: skip
            return content


def in_order(answer: bytes, count: int) -> list[list[float]]:
    """The vectors in the order of their `index`.

    Raises WrongResults if there is not one for each of `count` texts.
    """
    try:
        pairs = [(entry["index"], entry["embedding"]) for entry in orjson.loads(answer)["data"]]
    except (ValueError, KeyError, TypeError):
        raise WrongResults(f"the service gave no embeddings but {answer[:200]!r}") from None
    vectors = dict(pairs)
    if len(pairs) != count or vectors.keys() != set(range(count)):
        places = [place for place, _ in pairs]
        raise WrongResults(f"the service was asked for {count} vectors and gave those of {places}")
    return [vectors[place] for place in range(count)]


def _words(content: bytes) -> str:
    """What the service says of an error: {"error": {"message": ...}}, or the beginning of it."""
    try:
        return str(orjson.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return content[:500].decode(errors="replace")
