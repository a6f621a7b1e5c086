"""Log lines arrive whole, in order, harmless, and off the thread that logs them."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from batchmill.errors import ConfigError
from batchmill.observers import logs
from batchmill.observers.logs import (
    JsonLines,
    TextLines,
    file_handler,
    logging_to,
    only_warnings_of,
)

log = logging.getLogger("tests.some.task")


class Kept(logging.Handler):
    """Keeps the formatted lines, and the threads that they were written in."""

    def __init__(self, formatter):
        super().__init__()
        self.setFormatter(formatter)
        self.lines, self.threads = [], set()

    def emit(self, record):
        self.lines.append(self.format(record))
        self.threads.add(threading.current_thread().name)


class Stuck(Kept):
    """A terminal that takes no line until it is let go."""

    def __init__(self):
        super().__init__(TextLines())
        self.let_go = threading.Event()

    def emit(self, record):
        assert self.let_go.wait(30)
        super().emit(record)


class Mutable:
    text = "as it was"

    def __str__(self):
        return self.text


def test_what_any_library_logs_is_written_by_another_thread():
    kept = Kept(TextLines())

    with logging_to([kept], "INFO"):
        log.info("one %s", "two")
        log.debug("too fine")

    assert [line.split(" ", 1)[1] for line in kept.lines] == ["INFO    tests.some.task: one two"]
    assert threading.current_thread().name not in kept.threads


def test_a_line_says_what_its_arguments_were_when_it_was_logged():
    kept, value = Kept(TextLines()), Mutable()

    with logging_to([kept], "INFO"):
        log.info("%s", value)
        value.text = "changed"

    assert kept.lines[0].endswith("as it was")


def test_a_message_can_neither_forge_a_line_nor_steer_the_terminal():
    kept = Kept(TextLines())

    with logging_to([kept], "INFO"):
        log.info("bad\n2031-01-01 INFO all is well \x1b[2J")

    assert len(kept.lines) == 1
    assert kept.lines[0].endswith(r"bad\n2031-01-01 INFO all is well \x1b[2J")


def test_a_traceback_follows_its_line_indented():
    kept = Kept(TextLines())

    with logging_to([kept], "INFO"):
        try:
            raise ValueError("why \x07")
        except ValueError:
            log.exception("it failed")

    first, *rest = kept.lines[0].splitlines()
    assert first.endswith("it failed")
    assert all(line.startswith("  ") for line in rest)
    assert rest[-1] == r"  ValueError: why \x07"


def test_json_lines_carry_the_facts_of_a_line():
    kept = Kept(JsonLines())

    with logging_to([kept], "INFO"):
        log.warning("half\nway", extra={"facts": {"succeeded": 5}})

    line = json.loads(kept.lines[0])
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "WARNING", "logger": "tests.some.task", "message": "half\nway",
                    "succeeded": 5}  # fmt: skip


def test_who_logs_never_waits_and_what_is_dropped_is_counted(monkeypatch):
    monkeypatch.setattr(logs, "QUEUE_LINES", 10)
    stuck = Stuck()

    with logging_to([stuck], "INFO"):
        for n in range(100):
            log.info("line %d", n)
        stuck.let_go.set()

    assert 10 <= len(stuck.lines) - 1 <= 11
    dropped = 100 - (len(stuck.lines) - 1)
    assert stuck.lines[-1].endswith(
        f"{dropped} log lines were dropped: they came faster than they could be written"
    )


def test_the_logging_of_the_program_is_as_it_was_afterwards():
    root = logging.getLogger()
    before = root.level, root.handlers[:]

    with logging_to([Kept(TextLines())], "DEBUG"):
        assert root.handlers != before[1]

    assert before == (root.level, root.handlers)


def test_a_file_is_written_in_utf8_and_put_aside_when_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "FILE_BYTES", 1000)

    with logging_to([file_handler(tmp_path / "run.log", "text")], "INFO"):
        for n in range(99):
            log.info("line %d: %s \ud800", n, "漢字" * 10)

    assert len(list(tmp_path.iterdir())) == 1 + logs.FILES_KEPT
    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert "line 98: 漢字" in text
    assert text.rstrip().endswith(r"\ud800")


def test_a_log_file_that_cannot_be_written_is_told_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match="no-such-folder") as caught:
        file_handler(tmp_path / "no-such-folder" / "run.log", "text")

    assert "--log-file" in caught.value.hint


def test_ordinary_lines_of_a_logger_can_be_left_out_but_not_its_warnings():
    kept = Kept(TextLines())
    only_warnings_of(kept, "tests.some.task")

    with logging_to([kept], "INFO"):
        log.info("ordinary")
        log.warning("worth a word")

    assert [line.split(": ")[-1] for line in kept.lines] == ["worth a word"]
