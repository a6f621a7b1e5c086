"""`batchmill failures`: what failed, and why?"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
import orjson

from ..ledger.errors_file import line_of, plain
from ..ledger.reading import LedgerState, read_ledger
from ..observers.text import printable, shortened
from ..records import DeadLetter
from . import options
from .found import find_job
from .output import put, say

SHOWN = 20
"""Most failures, or groups of them, that are listed unless --limit or --json says otherwise."""
RECORD_CHARS = 200

_EXAMPLES = """\b
TARGET is what was run, or the output of a job that has run. Everything about a failure, its
traceback included, is in the errors file and in --json.

\b
Examples:
  batchmill failures job.toml
  batchmill failures out.jsonl --group-by message
  batchmill failures job.toml --json | jq -r .key      the keys of all that failed
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Failures that are alike, and the first of them."""

    type: str
    message: str | None
    count: int
    first_seq: int
    example: str


@click.command("failures", epilog=_EXAMPLES)
@options.target
@options.files
@click.option(
    "--group-by",
    type=click.Choice(("type", "message")),
    help="Count those that are alike; numbers in messages make no difference.",
)
@options.as_json
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help=f"List so many. [{SHOWN}]")
def command(
    target: str, *, group_by: str | None, as_json: bool, limit: int | None, **fields: Any
) -> None:
    """List what failed in a job, and why."""
    most = limit or (-1 if as_json else SHOWN)
    with read_ledger(find_job(target, fields).paths.ledger) as ledger:
        if group_by:
            _put_groups(ledger, group_by, most, as_json=as_json)
        elif as_json:
            for letter in ledger.letters(most=most):
                put(line_of(letter).decode().rstrip("\n"))
        else:
            _put_letters(ledger, most)


def _put_letters(ledger: LedgerState, most: int) -> None:
    for letter in ledger.letters(most=most):
        put("\n".join(_lines(letter)))
    _tell_rest(ledger.counts.failed, most, "failures")


def _lines(letter: DeadLetter) -> Iterator[str]:
    key = "" if letter.key is None else f"  key {printable(str(letter.key))}"
    yield f"seq {letter.seq}{key}  attempts {letter.attempts}  {letter.last_at}"
    failure = letter.failure
    yield f"  {printable(f'{failure.type}: {failure.message}')}"
    shown = plain(letter)
    record = letter.raw.decode() if "record" in shown else _text(shown)
    yield f"  {shortened(printable(record.strip()), RECORD_CHARS)}"


def _text(shown: dict[str, Any]) -> str:
    return str(shown.get("raw") or f"base64 {shown.get('raw_base64', '')}")


def _tell_rest(total: int, most: int, what: str) -> None:
    if total > most:
        say(f"{most:,} of {total:,} {what}; see more with --limit N, or all with --json")
    elif not total:
        say(f"there are no {what}")


def _put_groups(ledger: LedgerState, by: str, most: int, *, as_json: bool) -> None:
    for group in groups(ledger.db, by, most):
        if as_json:
            put(orjson.dumps(_fields(group)).decode())
        else:
            put(f"{group.count:>8,}  {printable(group.example)}  (seq {group.first_seq}"
                f"{', …' if group.count > 1 else ''})")  # fmt: skip


def _fields(group: Group) -> dict[str, Any]:
    fields = {"type": group.type, "count": group.count, "first_seq": group.first_seq}
    return fields if group.message is None else {**fields, "message": group.message}


def groups(db: sqlite3.Connection, by: str, most: int = -1) -> Iterator[Group]:
    """Failures that are alike, the most frequent first. SQLite groups them, in bounded memory."""
    db.create_function("pattern", 1, pattern_of, deterministic=True)
    pattern = "pattern(message)" if by == "message" else "NULL"
    rows = db.execute(
        f"SELECT type, {pattern} AS pattern, count(*), min(seq), message FROM dead_letters"
        " GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ?",
        (most,),
    )
    for kind, alike, count, seq, message in rows:
        example = kind if alike is None else f"{kind}: {message}"
        yield Group(kind, alike, count, seq, example)


def pattern_of(message: str) -> str:
    """What messages that differ in numbers only have in common: their first line, with "#"."""
    return re.sub(r"\d+", "#", (message.splitlines() or [""])[0])
