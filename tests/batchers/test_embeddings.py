"""Texts sent to a real HTTP server that answers like OpenAI's."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from asking import everyone
from embedding_server import KEY, MODEL, EmbeddingServer, refused, vector

from batchmill.batchers.embeddings import EmbeddingsBatcher
from batchmill.flow.batcher import ItemTooCostly, WrongResults

TEXTS = [f"text number {n}" for n in range(10)]


def _session():
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))


class Play:
    """What the batcher makes of the texts, and how long it would have waited."""

    def __init__(self, server, texts, **options):
        self.server = server
        self.waited = []
        self.results, self.stats = asyncio.run(self._run(texts, options))

    async def _run(self, texts, options):
        async with self.server.running() as url, _session() as session:
            batcher = EmbeddingsBatcher(
                session, options.pop("url", url), MODEL, sleep=self._sleep, jitter=lambda: 0.5,
                **{"api_key": KEY, **options},
            )  # fmt: skip
            return await everyone(batcher, texts), batcher.stats()

    async def _sleep(self, seconds):
        self.waited.append(seconds)


def test_every_caller_gets_the_vector_of_its_own_text_though_answers_are_out_of_order():
    play = Play(EmbeddingServer(), TEXTS)

    assert play.results == [vector(text) for text in TEXTS]
    assert play.server.asked == [TEXTS]


def test_a_request_has_no_more_texts_and_no_more_characters_than_it_may():
    by_count = Play(EmbeddingServer(), TEXTS, max_batch_size=4)
    by_cost = Play(EmbeddingServer(), ["aa", "bbb", "c", "dddddd", "eeeeeee"], max_batch_cost=6)

    assert [len(texts) for texts in by_count.server.asked] == [4, 4, 2]
    assert by_cost.server.asked == [["aa", "bbb", "c"], ["dddddd"]]
    assert isinstance(by_cost.results[4], ItemTooCostly)


def test_tokens_can_be_counted_in_place_of_characters():
    play = Play(
        EmbeddingServer(), ["a b", "c", "d e"], max_batch_cost=3, cost=lambda t: len(t.split())
    )

    assert play.server.asked == [["a b", "c"], ["d e"]]


def test_a_server_that_asks_to_wait_is_waited_for():
    play = Play(EmbeddingServer(refused(429, "Slow down", {"Retry-After": "20"})), TEXTS)

    assert play.results == [vector(text) for text in TEXTS]
    assert play.waited == [20.5]
    assert play.server.asked == [TEXTS, TEXTS]


def test_a_server_that_fails_for_now_is_asked_again_with_back_off():
    play = Play(EmbeddingServer(refused(500, "Oops"), refused(503, "Overloaded")), TEXTS)

    assert play.results == [vector(text) for text in TEXTS]
    assert play.waited == [0.5, 1.0]


def test_a_bad_text_is_found_and_the_others_get_their_vectors():
    texts = [*TEXTS[:6], "", *TEXTS[6:]]

    play = Play(EmbeddingServer(), texts)

    failure = play.results.pop(6)
    assert isinstance(failure, aiohttp.ClientResponseError)
    assert (failure.status, failure.message) == (400, "'$.input' is invalid: empty string")
    assert play.results == [vector(text) for text in TEXTS]


def test_a_server_that_stays_down_is_not_asked_by_halves():
    play = Play(EmbeddingServer(*[refused(503, "Down")] * 99), TEXTS, retries=2)

    assert [result.status for result in play.results] == [503] * 10
    assert len(play.server.asked) == 3


def test_a_wrong_key_is_told_at_once_to_everyone():
    play = Play(EmbeddingServer(), TEXTS, api_key="wrong")

    assert [result.status for result in play.results] == [401] * 10
    assert len(play.server.asked) == 1
    assert play.waited == []


def test_no_server_at_all_is_told_to_everyone_after_the_retries():
    play = Play(EmbeddingServer(), TEXTS, url="http://127.0.0.1:1/v1", retries=1)

    assert all(isinstance(result, aiohttp.ClientConnectionError) for result in play.results)
    assert play.stats.calls == 1
    assert len(play.waited) == 1


@pytest.mark.parametrize(
    "answer", ['{"data": [{"index": 0, "embedding": [1]}]}', '{"data": {}}', "<html>", "[]"]
)
def test_an_answer_without_a_vector_for_each_text_is_an_error(answer):
    play = Play(EmbeddingServer(lambda: web.Response(text=answer)), ["a", "b"])

    assert all(isinstance(result, WrongResults) for result in play.results)
    assert len(play.server.asked) == 1


def test_parameters_go_into_each_request():
    play = Play(EmbeddingServer(), ["a"], parameters={"dimensions": 2})

    assert play.server.bodies == [{"model": MODEL, "input": ["a"], "dimensions": 2}]
