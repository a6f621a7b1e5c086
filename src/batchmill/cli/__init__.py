"""The command line."""

from __future__ import annotations

from typing import NoReturn

from .interrupt import end_when_interrupted


def main() -> NoReturn:
    """Run the command that the arguments of this process name, and end the process."""
    end_when_interrupted()
    from .app import main as run_and_end

    run_and_end()
