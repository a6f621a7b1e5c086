"""The bar shows where a run stands, and never holds the run up."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from batchmill.events import Progressed, RunEnded, RunStarted
from batchmill.observers.progress_bar import ProgressBar
from batchmill.records import Counts
from batchmill.report import Report
from batchmill.testing import ObserverContract

STARTED = RunStarted("geo\x1b[2J", 2, 900, 0, 50, "async")
HALF = Progressed(
    5.0,
    counts=Counts(succeeded=95, failed=5),
    retries=3,
    in_flight=7,
    waiting=2,
    already_settled=900,
    fraction=0.5,
    rate_per_s=20.0,
    eta_s=5.0,
    oldest_s=12.0,
    oldest_seq=77,
)
ENDED = RunEnded(Report("completed", "geo", 1100, 1090, 0, 10, 0, 900, duration_s=10.0))


def terminal(file=None) -> Console:
    return Console(file=file or io.StringIO(), force_terminal=True, width=100, color_system=None)


class Stuck(io.StringIO):
    """A terminal that takes the first picture, and no other until it is let go."""

    def __init__(self):
        super().__init__()
        self.let_go = threading.Event()
        self.pictures = 0

    def write(self, text):
        self.pictures += 1
        if self.pictures > 1:
            assert self.let_go.wait(30)
        return super().write(text)


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, text):
        raise OSError(5, "Input/output error")


class TestProgressBar(ObserverContract):
    def make(self):
        return ProgressBar(terminal())


def picture_of(*events) -> str:
    console = terminal()
    with ProgressBar(console) as bar:
        for event in events:
            bar.on_event(event)
        bar._live.refresh()
    return console.file.getvalue()


def test_the_bar_shows_everything_about_the_run():
    shown = picture_of(STARTED, HALF)

    for part in ("50%", "20.0/s", "5 s left", "100 done after 900 before", "95 succeeded",
                 "5 failed", "0 filtered", "3 retried", "7 in flight", "2 waiting",
                 "seq 77 running for 12.0 s"):  # fmt: skip
        assert part in shown


def test_the_name_of_a_job_cannot_steer_the_terminal():
    assert r"geo\x1b[2J" in picture_of(STARTED)


def test_at_the_end_the_bar_shows_how_the_run_ended():
    shown = picture_of(STARTED, HALF, ENDED)

    assert "completed after 10.0 s" in shown
    assert "1,090 succeeded, 10 failed, 0 filtered, 0 pending" in shown


def test_the_terminal_is_left_in_order_when_a_run_ends_in_an_error():
    console = terminal()

    with ProgressBar(console) as bar:
        bar.on_event(STARTED)

    assert console.file.getvalue().count("\x1b[?25l") == console.file.getvalue().count("\x1b[?25h")


def test_a_terminal_that_takes_nothing_holds_up_no_event():
    stuck = Stuck()
    with ProgressBar(terminal(stuck)) as bar:
        bar._live.start(refresh=False)
        for _ in range(1000):
            bar.on_event(HALF)
        stuck.let_go.set()

    assert "100 done" in stuck.getvalue()


def test_a_terminal_that_is_gone_does_not_break_the_end():
    with ProgressBar(terminal(Gone())) as bar:
        try:
            bar.on_event(STARTED)
        except OSError:
            bar.on_event(HALF)
