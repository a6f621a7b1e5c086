"""A blog in a database: posts, their comments, and the people who wrote them."""

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PEOPLE, POSTS, COMMENTS = 40, 50, 400


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int]


class Comment(Base):
    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    post_id: Mapped[int] = mapped_column(index=True)
    author_id: Mapped[int | None]


def fill(engine: sa.Engine) -> None:
    """Make the tables and put some rows into them."""
    Base.metadata.create_all(engine)
    people = [{"name": f"person {n}"} for n in range(PEOPLE)]
    posts = [{"title": f"post {n}", "author_id": 1 + n * 7 % PEOPLE} for n in range(POSTS)]
    comments = [
        {"text": f"comment {n}", "post_id": 1 + n * n % POSTS, "author_id": _author(n)}
        for n in range(COMMENTS)
    ]
    with engine.begin() as connection:
        for model, rows in ((Person, people), (Post, posts), (Comment, comments)):
            connection.execute(sa.insert(model), rows)


def _author(number: int) -> int | None:
    """Some comments have none."""
    return None if number % 11 == 0 else 1 + number * 3 % PEOPLE
