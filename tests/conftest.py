"""Puts this folder on the import path, for the doubles that tests share, and makes Hypothesis
draw the same examples every time: a test that fails once fails again.

Tests in the folders of `HEAVY` are marked: they start servers, or kill runs again and again.

What is started in the background of a script ignores Ctrl-C and hands that on to its children; the
tests send it, so they have it heard.
"""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

HEAVY = {"batchers", "crash", "examples"}
HERE = Path(__file__).parent

settings.register_profile("batchmill", deadline=None, derandomize=True, database=None)
settings.load_profile("batchmill")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.relative_to(HERE).parts[0] in HEAVY:
        item.add_marker("heavy")
