"""Where do log lines go? From a queue to standard error and to a file, off the run's own thread."""

from __future__ import annotations

import copy
import json
import logging
import logging.handlers
import queue
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from ..errors import ConfigError
from .text import printable, printable_lines

QUEUE_LINES = 10_000
"""Most log lines that wait to be written; more are dropped, and their number is told."""
FILE_BYTES = 50_000_000
"""A log file grows to this size before it is put aside as ".1", and so on."""
FILES_KEPT = 5


@contextmanager
def logging_to(handlers: Sequence[logging.Handler], level: str) -> Iterator[None]:
    """Send what is logged anywhere in the process, from `level` on, to these handlers.

    Whoever logs only puts a line into a queue and never waits; a thread writes. At the end of the
    block all lines are written, and the logging is as it was before.
    """
    lines: queue.Queue[logging.LogRecord] = queue.Queue(QUEUE_LINES)
    entrance = _Entrance(lines)
    listener = _Listener(lines, *handlers, respect_handler_level=True)
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], [entrance]
    level_before = root.level
    root.setLevel(level)
    listener.start()
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level_before)
        listener.stop()
        _tell_dropped(entrance.dropped, handlers)
        for handler in handlers:
            handler.close()


def only_warnings_of(handler: logging.Handler, *loggers: str) -> None:
    """Have the handler leave out the ordinary lines of these loggers."""
    handler.addFilter(lambda line: line.name not in loggers or line.levelno > logging.INFO)


class _Entrance(logging.handlers.QueueHandler):
    """Queues lines without waiting."""

    dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Fix message and traceback as text now: what they are made of may change."""
        fixed = copy.copy(record)
        fixed.msg, fixed.args = record.getMessage(), None
        if record.exc_info:
            fixed.exc_text = logging.Formatter().formatException(record.exc_info)
            fixed.exc_info = None
        return fixed

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Listener(logging.handlers.QueueListener):
    """Ends even if the queue is full."""

    def _monitor(self) -> None:
        # A signal that this thread got would not wake a main thread that blocks.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        super()._monitor()  # type: ignore[misc]

    def enqueue_sentinel(self) -> None:
        self.queue.put(self._sentinel)  # type: ignore[attr-defined]


def _tell_dropped(dropped: int, handlers: Sequence[logging.Handler]) -> None:
    if not dropped:
        return
    text = f"{dropped:,} log lines were dropped: they came faster than they could be written"
    line = logging.LogRecord("batchmill.logs", logging.WARNING, "", 0, text, None, None)
    for handler in handlers:
        handler.handle(line)


class TextLines(logging.Formatter):
    """ "2025-01-31T12:00:00.123+00:00 INFO    batchmill.run: message", control characters escaped.

    A traceback follows on lines of its own, indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        name, message = printable(record.name), printable(record.getMessage())
        head = f"{_time(record)} {record.levelname:<7} {name}: {message}"
        return "\n  ".join([head, *printable_lines(_trace(record))])


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what else the line carries."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        trace = _trace(record)
        return json.dumps({**fields, "traceback": trace} if trace else fields, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _trace(record: logging.LogRecord) -> str:
    return "\n".join(filter(None, [record.exc_text, record.stack_info]))


def stream_handler(stream: TextIO, form: str) -> logging.Handler:
    """Lines on a stream. One that cannot be written is lost, silently."""
    handler = _Quiet(stream)
    handler.setFormatter(formatter_for(form))
    return handler


class _Quiet(logging.StreamHandler):  # type: ignore[type-arg]
    """A closed terminal or pipe is no reason to fail, nor to complain where nobody reads it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base's name
        if not isinstance(sys.exc_info()[1], OSError | ValueError):
            super().handleError(record)

    def close(self) -> None:
        with suppress(OSError, ValueError):
            super().close()


def file_handler(path: Path, form: str) -> logging.Handler:
    """Lines at the end of a file, which is put aside when it has FILE_BYTES.

    Raises ConfigError if it cannot be written.
    """
    try:
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8",
            errors="backslashreplace",
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(f"the log file {path} cannot be written: {error.strerror}",
                          hint="look at log.file or --log-file") from None  # fmt: skip
    handler.setFormatter(formatter_for(form))
    return handler


def formatter_for(form: str) -> logging.Formatter:
    return JsonLines() if form == "json" else TextLines()
