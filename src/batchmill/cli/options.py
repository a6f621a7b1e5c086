"""The options that commands share. Those that set a field of the job have its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from ..config.values import LEVELS, LOG_FORMATS
from ..job import ENGINES, ORDERS

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

PROGRESS = ("auto", "bar", "log", "none")

MANNER = frozenset(
    {"dry_run", "resume", "restart", "accept_changes", "adopt", "progress", "as_json"}
)
"""Options that are no fields of a job."""

target = click.argument("target")
source = click.option("--input", "source", metavar="PATH", help="Records to read.")
sink = click.option("--output", "sink", metavar="PATH", help="File for the results.")
errors = click.option(
    "--errors", metavar="PATH", help="File for the dead letters. [beside the output]"
)
key = click.option("--key", metavar="FIELD", help="Field that names a record.")
as_json = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")


def together(*options: Decorator[Any]) -> Decorator[Any]:
    """Several options as one decorator, in help in this order."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


files = together(source, sink, errors)

calls = together(
    click.option("--concurrency", "-j", type=int, metavar="N", help="Calls at a time. [50]"),
    click.option("--rate", metavar="RATE", help='Most calls in a time: "120/min", "5/s".'),
    click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="For one attempt."),
    click.option(
        "--max-attempts", type=int, metavar="N", help="At a record, the first included. [4]"
    ),
    click.option(
        "--max-failures", metavar="N|P%", help='Abort beyond so many failures: 100, "5%".'
    ),
    click.option("--engine", type=click.Choice(ENGINES), help="Where the task runs. [auto]"),
    click.option("--workers", type=int, metavar="N", help="Processes of the process engine."),
    click.option("--worker-memory", metavar="SIZE", help='Most memory of a process: "2GiB".'),
    click.option("--batch-size", type=int, metavar="N", help="Records in a call."),
    click.option("--limit", type=int, metavar="N", help="Call so many records, then stop."),
)

order = click.option("--order", type=click.Choice(ORDERS), help="Of results. [completion]")

logs = together(
    click.option("--log-file", metavar="PATH", help="Log to this file, too."),
    click.option("--log-format", type=click.Choice(LOG_FORMATS), help="[text]"),
    click.option(
        "--log-level",
        type=click.Choice([level.lower() for level in LEVELS], case_sensitive=False),
        help="[info]",
    ),
    click.option(
        "--progress",
        type=click.Choice(PROGRESS),
        default="auto",
        help="A bar on a terminal, log lines elsewhere.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Report as JSON on standard output."),
)


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that set fields of the job."""
    return {name: value for name, value in given.items() if name not in MANNER}
