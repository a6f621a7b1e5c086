"""Data goes to standard output, everything else to standard error."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click
import orjson

from ..observers.text import printable
from .streams import err, is_terminal, out

LABEL_CHARS = 12
"""Width of the labels in a list of facts."""

Fact = tuple[str, str]


def say(text: str) -> None:
    """A message for people. Lost if nobody can read it."""
    stream = err()
    if stream is not None:
        with suppress(OSError, ValueError):
            click.echo("\n".join(map(printable, text.splitlines())), file=stream)


def put(text: str = "") -> None:
    """A line of data. Raises BrokenPipeError when its reader has gone."""
    stream = out()
    if stream is not None:
        click.echo(text, file=stream)


def put_json(value: Any) -> None:
    """A value as one line of JSON."""
    put(orjson.dumps(value, default=str).decode())


def put_facts(title: str, facts: list[Fact]) -> None:
    """Labelled facts under a title: a table on a terminal, aligned text elsewhere."""
    if is_terminal(out()):
        _draw(title, facts)
        return
    put(printable(title))
    for label, value in facts:
        put(f"  {label:<{LABEL_CHARS}}  {printable(value)}".rstrip())


def _draw(title: str, facts: list[Fact]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(title), "bold"), show_header=False, title_justify="left")
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for label, value in facts:
        table.add_row(Text(label), Text(printable(value)))
    Console(file=out()).print(table)
