"""Progress on a terminal: a bar and a line of counts, drawn by a thread of its own."""

from __future__ import annotations

import logging
from contextlib import suppress
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar as Bar
from rich.table import Table
from rich.text import Text

from ..events import Event, Progressed, RunEnded, RunStarted
from ..report import Report
from .progress_line import calls_of, counts_of, fraction_of, pace_of, share_of
from .text import printable, shortened, span

PER_SECOND = 4
"""How often the display is drawn anew."""
NAME_CHARS = 30


class ProgressBar:
    """Shows where a run stands. An observer, and a `with` block that leaves the terminal in order.

    An event is only noted; a thread draws. So a terminal that is slow, suspended or gone holds up
    the drawing and not the run. `total` is how many records the run has to settle, where known.
    What is printed meanwhile goes above the display, if standard output is a terminal, too.
    """

    def __init__(self, console: Console, total: int | None = None, *, prints: bool = False) -> None:
        self._total = total
        self._name = ""
        self._now: Progressed = Progressed(0.0)
        self._report: Report | None = None
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=PER_SECOND,
                          redirect_stdout=prints)  # fmt: skip

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def on_event(self, event: Event) -> None:
        if isinstance(event, Progressed):
            self._now = event
        elif isinstance(event, RunStarted):
            self._name = shortened(printable(event.name), NAME_CHARS)
            self._now = Progressed(0.0, already_settled=event.already_settled)
            self._live.start()
        elif isinstance(event, RunEnded):
            self._report = event.report
            self._stop()

    def _stop(self) -> None:
        """Draw the last picture. A terminal that is gone needs none."""
        with suppress(OSError, ValueError):
            self._live.stop()

    def _draw(self) -> RenderableType:
        """The display: name, bar and pace in the first line, counts in the second, calls in the
        third."""
        now, ended = self._now, self._report
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True)
        head.add_row(Text(self._name, "bold"), self._bar(), Text(self._pace()))
        lines = [_line(counts_of(now) if ended is None else _ending(ended))]
        if ended is None:
            lines.append(_line(calls_of(now)))
        return Group(head, *lines)

    def _bar(self) -> Bar:
        if self._report is not None:
            done = self._report.state == "completed"
            return Bar(total=1.0, completed=1.0 if done else self._fraction() or 0.0)
        fraction = self._fraction()
        return Bar(total=1.0, completed=fraction or 0.0, pulse=fraction is None)

    def _fraction(self) -> float | None:
        return fraction_of(self._now, self._total)

    def _pace(self) -> str:
        if self._report is not None:
            return f"{self._report.state} after {span(self._report.duration_s)}"
        return "  ".join([*share_of(self._now, self._total), *pace_of(self._now, self._total)])


def _line(parts: list[str]) -> Text:
    return Text(", ".join(parts), no_wrap=True, overflow="ellipsis")


def _ending(report: Report) -> list[str]:
    return [f"{report.succeeded:,} succeeded", f"{report.failed:,} failed",
            f"{report.filtered:,} filtered", f"{report.pending:,} pending"]  # fmt: skip


class ConsoleHandler(logging.Handler):
    """Log lines above the display. To be called from the log's own thread only."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._console.print(Text(self.format(record)), soft_wrap=True, highlight=False)
        except (OSError, ValueError):
            return
