"""`batchmill init`: a small working project to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ConfigError
from .output import say

_EXAMPLES = """\b
Examples:
  batchmill init                 in the working directory
  batchmill init geo             in the folder geo, made if need be
"""

_JOB = """\
# Paths are relative to this file. Every key can also be given on the command line.

[job]
task = "task.py"
key = "id"

[source]
path = "people.jsonl"

[sink]
path = "greetings.jsonl"

[run]
concurrency = 50
# rate = "120/min"        # most calls in a time
# timeout_s = 30          # for one attempt

[retry]
max_attempts = 4
"""

_TASK = '''\
"""The work on one record. It may run more than once for a record, but only one result is kept."""

from typing import Any


async def process_record(record: dict[str, Any], context: dict[str, Any]) -> dict[str, Any] | None:
    """Return a result, a list of them, or None to leave the record out; raise to fail it.

    For calls over HTTP, `context["session"]` is an aiohttp session.
    """
    if not record["name"]:
        raise ValueError("the name is empty")
    return {"id": record["id"], "greeting": f"Hello, {record['name']}!"}
'''

_DATA = """\
{"id": 1, "name": "Ada"}
{"id": 2, "name": "Grace"}
{"id": 3, "name": "Edsger"}
{"id": 4, "name": ""}
{"id": 5, "name": "Barbara"}
"""

_TEST = '''\
"""The job, run on a record or two, without any file."""

import batchmill
from task import process_record


def test_a_person_is_greeted_by_name():
    report = batchmill.run(batchmill.Job(source=[{"id": 1, "name": "Ada"}], task=process_record))

    assert report.results == [{"id": 1, "greeting": "Hello, Ada!"}]


def test_a_person_without_a_name_is_a_failure():
    report = batchmill.run(batchmill.Job(source=[{"id": 1, "name": ""}], task=process_record))

    assert report.errors_by_type == {"ValueError": 1}
'''

FILES = {"job.toml": _JOB, "task.py": _TASK, "people.jsonl": _DATA, "test_task.py": _TEST}


@click.command("init", epilog=_EXAMPLES)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write a small working project. Overwrites nothing."""
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise ConfigError(f"{folder} has {', '.join(there)} already",
                          hint="name another folder: batchmill init DIR")  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    say(f"wrote {', '.join(FILES)}")
    say(f"next: batchmill run {folder / 'job.toml'}")
