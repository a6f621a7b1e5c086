"""Ask the blog for its posts with authors, comments and their authors, with batches and without.

python demo.py
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import blog
import sqlalchemy as sa
from resolve import Loaders, all_posts

QUESTION = {
    "title": None,
    "author": {"name": None},
    "comments": {"text": None, "author": {"name": None}},
}


class Told(NamedTuple):
    """An answer, and what it took."""

    answer: list[Any]
    statements: int
    seconds: float


def ask(engine: sa.Engine, **options: Any) -> Told:
    """The answer by lookups with these options."""
    statements: list[str] = []

    def note(*event: Any) -> None:
        statements.append(event[2])

    sa.event.listen(engine, "before_cursor_execute", note)
    began = time.perf_counter()
    answer = asyncio.run(_ask(engine, options))
    sa.event.remove(engine, "before_cursor_execute", note)
    return Told(answer, len(statements), time.perf_counter() - began)


async def _ask(engine: sa.Engine, options: dict[str, Any]) -> list[Any]:
    return await all_posts(engine, QUESTION, Loaders(engine, **options))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{Path(folder, 'blog.db')}")
        blog.fill(engine)
        ask(engine)
        single, batched = ask(engine, max_batch_size=1, dedupe=None), ask(engine)
        engine.dispose()
    print(batched.answer[1])
    for name, told in {"one by one": single, "in batches": batched}.items():
        print(f"{name}: {told.statements:>4} statements, {told.seconds * 1e3:5.0f} ms")
    print("the same answer" if single.answer == batched.answer else "ANOTHER ANSWER")


if __name__ == "__main__":
    main()
