"""What the documentation shows was really run, and would show the same today.

A page's blocks are run in one folder, from top to bottom. The comment above a block says what it
is:

    <!-- file: task.py -->       the block is the content of that file
    <!-- run -->                 lines with "$ " are commands, the others are what they print
    <!-- run: numbers vary -->   the same, with any other numbers in what they print

Durations, rates, times of day and folders may differ. Standard error is not shown in the pages.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchmill.config.schema import SCHEMA

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/guides/atomic-write.md",
    "docs/guides/batches.md",
    "docs/guides/getting-started.md",
    "docs/guides/processes.md",
    "docs/guides/python-api.md",
]

_BLOCK = re.compile(r"^<!-- (?P<what>file|run)(?P<more>:[^>]*)? -->\n```\w*\n(?P<text>.*?)^```$",
                    re.MULTILINE | re.DOTALL)  # fmt: skip
_DURATION = re.compile(r"\b[\d.,]+ (ms|µs|s)\b")
_RATE = re.compile(r"\b[\d.,]+/s")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")
_FOLDER = re.compile(r"(/[\w.-]+)+/(?=[\w.]+)")
_NUMBER = re.compile(r"\d[\d.,]*")
_END = "=== end of command ==="
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Command:
    line: str
    expected: list[str]
    numbers_vary: bool


def _steps(page: str) -> Iterator[tuple[str, str] | Command]:
    """The files, as name and content, and the commands of a page, in order."""
    for block in _BLOCK.finditer(page):
        more = (block["more"] or "").strip(": ")
        if block["what"] == "file":
            yield more, block["text"]
        else:
            yield from _commands(block["text"], numbers_vary=more == "numbers vary")


def _commands(text: str, *, numbers_vary: bool) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, expected = part.partition("\n")
        yield Command(line, expected.splitlines(), numbers_vary)


def _script(steps: list[tuple[str, str] | Command]) -> str:
    lines = []
    for step in steps:
        if isinstance(step, Command):
            lines.append(f"{step.line}\ncode=$?; echo '{_END}'; (exit $code)")
        else:
            lines.append(f"cat > {step[0]} <<'END OF FILE'\n{step[1]}END OF FILE")
    return "\n".join(lines) + "\n"


def _run(steps: list[tuple[str, str] | Command], folder: Path) -> list[str]:
    """What each command printed."""
    commands = folder / "bin"
    commands.mkdir()
    for name, arguments in {"batchmill": "-m batchmill", "python": ""}.items():
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (commands / name).chmod(0o755)
    work = folder / "work"
    work.mkdir()
    search = f"{commands}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-s"], input=_script(steps), cwd=work, capture_output=True,
                          text=True, timeout=PATIENCE_S, check=False,
                          env=os.environ | {"PATH": search})  # fmt: skip
    return done.stdout.split(f"{_END}\n")[:-1]


def _plain(lines: list[str], *, numbers_vary: bool) -> list[str]:
    """The lines without what is different each time."""
    plain = []
    for line in lines:
        text = _TIME.sub("TIME", line)
        text = _RATE.sub("RATE", _DURATION.sub("DURATION", _FOLDER.sub("FOLDER/", text)))
        plain.append(_NUMBER.sub("N", text).rstrip() if numbers_vary else text.rstrip())
    return plain


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_its_commands_print(name: str, tmp_path: Path) -> None:
    steps = list(_steps((ROOT / name).read_text()))
    commands = [step for step in steps if isinstance(step, Command)]
    assert commands

    printed = _run(steps, tmp_path)

    for command, text in zip(commands, printed, strict=True):
        expected = _plain(command.expected, numbers_vary=command.numbers_vary)
        assert expected == _plain(text.splitlines(), numbers_vary=command.numbers_vary), (
            command.line
        )


def test_every_key_of_a_job_file_is_in_the_guide() -> None:
    guide = (ROOT / "docs/guides/configuration.md").read_text()

    missing = [f"{table}.{key}" for table, keys in SCHEMA.items() for key in keys
               if f"`{key}" not in guide]  # fmt: skip
    assert missing == []
