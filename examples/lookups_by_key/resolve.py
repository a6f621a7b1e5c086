"""Answers nested questions, field by field, as a GraphQL server does.

A question is a dict of fields; a field with fields of its own is a row, or a list of rows, that is
looked up by a key. Each field asks for its own row only and knows nothing of the others; they are
asked at the same time, and the batchers make one SELECT of all that wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import sqlalchemy as sa
from blog import Comment, Person, Post

from batchmill.batchers.sqlalchemy import SqlAlchemyLookupBatcher

Question = Mapping[str, Any]


class Loaders:
    """The lookups, and which field of which table is one of them."""

    def __init__(self, engine: sa.Engine, **options: Any) -> None:
        # A tick is enough to wait: rows that come together ask for theirs together.
        options = {"max_queue_time": 0, "dedupe": lambda key: key, **options}
        self.person = SqlAlchemyLookupBatcher(Person, engine, **options)
        self.comments = SqlAlchemyLookupBatcher(
            Comment, engine, key=Comment.post_id, many=True, **options
        )
        self.fields: dict[tuple[str, str], tuple[str, Callable[[Any], Awaitable[Any]]]] = {
            ("post", "author"): ("person", lambda post: self.person.process(post.author_id)),
            ("post", "comments"): ("comment", lambda post: self.comments.process(post.id)),
            ("comment", "author"): ("person", self._author_of_comment),
        }

    async def _author_of_comment(self, comment: Any) -> Any:
        return None if comment.author_id is None else await self.person.process(comment.author_id)


async def all_posts(engine: sa.Engine, question: Question, loaders: Loaders) -> list[Any]:
    """The answer to the question for every post."""

    def select() -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(sa.select(Post.__table__).order_by(Post.id)))

    answer: list[Any] = await _answer("post", await asyncio.to_thread(select), question, loaders)
    return answer


async def _answer(kind: str, found: Any, question: Question, loaders: Loaders) -> Any:
    if found is None:
        return None
    if isinstance(found, list):
        rows = (_answer(kind, row, question, loaders) for row in found)
        return await asyncio.gather(*rows)
    values = (_field(kind, found, name, question[name], loaders) for name in question)
    return dict(zip(question, await asyncio.gather(*values), strict=True))


async def _field(
    kind: str, row: Any, name: str, question: Question | None, loaders: Loaders
) -> Any:
    if question is None:
        return getattr(row, name)
    child, look_up = loaders.fields[kind, name]
    return await _answer(child, await look_up(row), question, loaders)
