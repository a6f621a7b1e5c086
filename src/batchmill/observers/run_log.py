"""The beginning and the end of a run, and what happened in between, as log lines."""

from __future__ import annotations

import logging

from ..events import Event, Noted, RunEnded, RunStarted
from ..report import Report
from .text import span

RUN = "batchmill.run"
"""The logger of these lines."""
NOTES = "batchmill.notes"
"""The logger of what an operator wants to read."""


class RunLog:
    """Logs what runs, with what settings, and how it ended. Settings are told as given: a few words
    a line, chosen by who makes this observer."""

    def __init__(self, *settings: str) -> None:
        self._settings = settings
        self._log = logging.getLogger(RUN)
        self._notes = logging.getLogger(NOTES)

    def on_event(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._begin(event)
        elif isinstance(event, Noted):
            self._notes.log(logging.getLevelNamesMapping()[event.level.upper()], "%s",
                            event.message)  # fmt: skip
        elif isinstance(event, RunEnded):
            level = logging.INFO if event.report.state == "completed" else logging.WARNING
            self._log.log(level, "%s", ending(event.report),
                          extra={"facts": event.report.to_dict()})  # fmt: skip

    def _begin(self, event: RunStarted) -> None:
        self._log.info("run %d of %s begins: %s engine, %d calls at a time; %s", event.run,
                       event.name, event.engine, event.concurrency, _before(event))  # fmt: skip
        for setting in self._settings:
            self._log.info("%s", setting)


def _before(event: RunStarted) -> str:
    if not event.already_settled:
        return "nothing is settled yet"
    failed = f", {event.failed_before:,} of them failed" if event.failed_before else ""
    return f"{event.already_settled:,} records were settled before{failed}"


def ending(report: Report) -> str:
    """How a run ended, in one line."""
    text = (
        f"{report.name} {report.state} after {span(report.duration_s)}: {report.read:,} read ="
        f" {report.succeeded:,} succeeded + {report.filtered:,} filtered + {report.failed:,} failed"
        f" + {report.pending:,} pending; {report.called:,} calls, {report.retries:,} retries;"
        f" exit code {int(report.exit_code)}"
    )
    return f"{text}; {report.reason}" if report.reason else text
