"""Ctrl-C at a chosen step of a command, to the instruction, and again and again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from commands import environment
from small_jobs import write

AT_STEPS = """\
import signal, sys

steps, words = {steps!r}, {words!r}

def hook(frame, event, argument):
    if event != "call" or not steps:
        return
    file, function = steps[0]
    if frame.f_code.co_name == function and frame.f_code.co_filename.endswith(file):
        steps.pop(0)
        signal.raise_signal(signal.SIGINT)

sys.argv = ["batchmill", *words]
from batchmill.cli import main
sys.setprofile(hook)
main()
"""

SHUTS_DOWN = """\
async def process_record(record):
    return record

async def on_shutdown():
    pass
"""

BLOCKS = """\
import time

async def process_record(record):
    blocked(record)

def blocked(record):
    while True:
        time.sleep(0.001)
        still_blocked()

def still_blocked():
    pass
"""


@pytest.fixture
def interrupted(project):
    """Run a command that gets a SIGINT at each of these steps: calls of a function, in order."""

    def command(steps, *words):
        script = AT_STEPS.format(steps=steps, words=[str(word) for word in words])
        return subprocess.run([sys.executable, "-c", script], env=environment(), timeout=50,
                              check=False, capture_output=True, text=True)  # fmt: skip

    return command


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (("cli/app.py", "<module>"), ["status", "job.toml"]),
        (("click/core.py", "<module>"), ["--help"]),
        (("config/target.py", "<module>"), ["run", "job.toml"]),
        (("cli/found.py", "find_job"), ["status", "job.toml"]),
        (("cli/output.py", "put"), ["status", "job.toml"]),
        (("ledger/verify.py", "verify"), ["verify", "job.toml"]),
        (("cli/output.py", "put_facts"), ["report", "job.toml"]),
        (("cli/streams.py", "settle_streams"), ["report", "job.toml"]),
        (("threading.py", "_shutdown"), ["failures", "job.toml"]),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else value[0],
)
def test_ctrl_c_ends_a_command_in_one_line_wherever_it_stands(batchmill, interrupted, step, words):
    batchmill("run", "job.toml")

    ended = interrupted([step], *words)

    assert (130, "error: interrupted\n") == (ended.returncode, ended.stderr)


@pytest.mark.parametrize(
    "step",
    [
        ("batchmill/launch.py", "__init__"),
        ("asyncio/events.py", "new_event_loop"),
        ("cli/running.py", "_show"),
        ("cli/app.py", "_end"),
    ],
    ids=lambda step: step[1],
)
def test_ctrl_c_before_and_after_a_run_ends_it_without_a_traceback(interrupted, step):
    ended = interrupted([step], "run", "job.toml")

    assert 130 == ended.returncode
    assert "error: interrupted" in ended.stderr.splitlines()
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "step",
    [
        ("threading.py", "__exit__"),
        ("logging/handlers.py", "enqueue"),
        ("queue.py", "put"),
        ("logging/__init__.py", "acquire"),
        ("asyncio/base_events.py", "close"),
        ("signal.py", "signal"),
    ],
    ids=lambda step: step[1],
)
def test_many_signals_during_on_shutdown_end_the_run_and_leave_no_lock_taken(
    project, batchmill, interrupted, step
):
    (project / "task.py").write_text(SHUTS_DOWN)

    ended = interrupted([("task.py", "on_shutdown"), *[step] * 7], "run", "job.toml")

    assert 130 == ended.returncode
    assert "Traceback" not in ended.stderr
    assert 0 == batchmill("verify", "job.toml").code


def test_the_third_signal_ends_a_task_that_blocks_the_event_loop(project, interrupted):
    (project / "task.py").write_text(BLOCKS)
    write(project, {"id": 1})

    ended = interrupted([("task.py", "still_blocked")] * 3, "run", "job.toml")

    assert 130 == ended.returncode
    assert "Traceback" not in ended.stderr
