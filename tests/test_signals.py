"""Signals that come while another one is being heard."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from batchmill.signals import POLITE_SIGNALS, Ears


class HearsAnother:
    """A loop in which the next signal comes while it is asked whether it is closed."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.then: Callable[[], None] | None = None

    def is_closed(self) -> bool:
        then, self.then = self.then, None
        if then is not None:
            then()
        return False

    def call_soon_threadsafe(self, call: Callable[..., None], *_: object) -> None:
        self.calls.append(call.__name__)


def politely(_: int) -> None:
    """Hears a signal."""


def test_a_loop_is_interrupted_once_even_if_signals_interrupt_each_other() -> None:
    # Interrupted again, the loop could not bring the run to its end.
    loop: Any = HearsAnother()
    ears = Ears(loop, politely)

    ears.hear(signal.SIGINT, None)
    loop.then = lambda: ears.hear(signal.SIGINT, None)
    ears.hear(signal.SIGINT, None)
    for _ in range(5):
        ears.hear(signal.SIGINT, None)

    assert loop.calls.count("politely") == POLITE_SIGNALS
    assert loop.calls.count("_interrupt") == 1


TASK = """
def blocks(loop, ears, number):
    loop.then = lambda: ears.hear(number, sys._getframe())
    ears.hear(number, sys._getframe())
"""


def test_a_third_signal_reaches_a_blocking_task_even_while_the_second_is_being_heard() -> None:
    # The loop could not interrupt itself before the task returns.
    loop: Any = HearsAnother()
    ears = Ears(loop, politely)
    task: dict[str, Any] = {"__name__": "task", "sys": sys}
    exec(TASK, task)
    engine: dict[str, Any] = {"__name__": "batchmill.engines.on_loop", "call": task["blocks"]}
    exec("def work(*arguments):\n    call(*arguments)\n", engine)

    ears.hear(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        engine["work"](loop, ears, signal.SIGINT)

    assert "_interrupt" not in loop.calls
