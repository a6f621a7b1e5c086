"""The command as a process of its own, as it is installed or as it lies in the source tree."""

from __future__ import annotations

import os
import subprocess
import sys


def environment() -> dict[str, str]:
    """That of this process, with its import path."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def start(*words: object, **options) -> subprocess.Popen:
    """Start the command; the caller ends it."""
    command = [sys.executable, "-m", "batchmill", *map(str, words)]
    return subprocess.Popen(command, **{"env": environment()} | options)
