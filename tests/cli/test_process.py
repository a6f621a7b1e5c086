"""The command as a process: signals, closed outputs, a terminal, threads that do not end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from commands import environment, start
from small_jobs import write

WAITS = """\
import asyncio, sys

async def process_record(record):
    print("called", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return record
"""

STOPS_ITSELF = """\
import asyncio, os

async def process_record(record):
    if record["id"] == 5:
        os.kill(os.getpid(), {signal})
    for _ in range(5):
        await asyncio.sleep(0)
    return record
"""

HANGS = """\
import asyncio, threading

for_ever = threading.Event()

async def process_record(record):
    await asyncio.to_thread(for_ever.wait)
"""

IGNORES_CANCELLING = """\
import asyncio

async def process_record(record):
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
"""


def task(project, text, records=1):
    (project / "task.py").write_text(text)
    write(project, *({"id": n} for n in range(records)))


@pytest.fixture
def running(project):
    """A job whose one call is under way, and does not end before its standard input does."""
    task(project, WAITS)
    with start("run", "job.toml", text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
               stderr=subprocess.DEVNULL) as process:  # fmt: skip
        assert process.stdout.readline() == "called\n"
        yield process
        process.kill()


def test_status_says_who_runs_the_job_and_that_another_run_has_to_wait(running, batchmill):
    status = json.loads(batchmill("status", "job.toml", "--json").out)

    assert status["running"]["pid"] == running.pid
    assert status["last_run"]["state"] == "running"
    assert status["next_run"]["will"] == "wait"


@pytest.mark.parametrize(
    "words",
    [["run", "job.toml"], ["run", "job.toml", "--dry-run"], ["rerun", "job.toml", "--key", 0]],
)
def test_a_second_run_is_refused_with_a_code_of_its_own(running, batchmill, words):
    ended = batchmill(*words)

    assert ended.code == 75
    assert f"process {running.pid}" in ended.err


def test_a_job_can_be_verified_while_it_runs(running, batchmill):
    ended = batchmill("verify", "job.toml")

    assert ended.code == 0
    assert "the job is running" in ended.err


def test_a_job_that_was_killed_is_not_taken_for_a_running_one(running, batchmill):
    running.kill()
    running.wait()

    status = json.loads(batchmill("status", "job.toml", "--json").out)

    assert (None, "killed") == (status["running"], status["last_run"]["state"])
    assert status["next_run"]["will"] == "resume"
    assert batchmill("verify", "job.toml").code == 0


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_run_commits_and_says_so_by_its_code(
    project, batchmill_process, number, code
):
    task(project, STOPS_ITSELF.format(signal=int(signal.Signals[number])), records=500)

    ended = batchmill_process("run", "job.toml", "-j", 1)

    assert ended.code == code
    assert f"stopping: interrupted by {number}" in ended.err
    assert f"  ended by      interrupted by {number}" in ended.out.splitlines()
    assert batchmill_process("verify", "job.toml").code == 0


def test_nobody_reading_the_output_does_not_stop_a_job(project, batchmill_process):
    read, write_end = os.pipe()
    os.close(read)

    ended = batchmill_process("run", "job.toml", stdout=write_end, stderr=write_end)

    os.close(write_end)
    assert ended.code == 3
    assert len((project / "out.jsonl").read_text().splitlines()) == 50


def test_a_job_runs_without_any_standard_files(project):
    script = f"{sys.executable} -m batchmill run job.toml <&- >&- 2>&-; echo $? > code"

    subprocess.run(["sh", "-c", script], check=True, env=environment())

    assert (project / "code").read_text() == "3\n"
    assert len((project / "out.jsonl").read_text().splitlines()) == 50


def test_a_listing_that_nobody_reads_to_its_end_is_no_error(project, batchmill_process):
    batchmill_process("run", "job.toml")
    read, write_end = os.pipe()
    os.close(read)

    ended = batchmill_process("failures", "job.toml", "--json", stdout=write_end)

    os.close(write_end)
    assert (0, "") == (ended.code, ended.err)


@pytest.mark.parametrize("code", [HANGS, IGNORES_CANCELLING])
def test_a_process_ends_though_its_calls_do_not(project, batchmill_process, code):
    task(project, code)

    ended = batchmill_process("run", "job.toml", "--timeout", 0.05, "--max-attempts", 1)

    assert ended.code == 3
    assert "  failures      TimedOut 1" in ended.out.splitlines()
    assert "Task was destroyed" not in ended.err


def on_a_terminal(*words) -> tuple[int, str]:
    """Run the command with all its standard files on a terminal; its code, and what was shown."""
    main, side = pty.openpty()
    env = environment() | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    with start(*words, stdin=side, stdout=side, stderr=side, env=env) as process:
        os.close(side)
        shown = b""
        while piece := _read(main):
            shown += piece
    os.close(main)
    return process.returncode, shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


def test_a_terminal_shows_a_bar_and_a_table(project):
    code, shown = on_a_terminal("run", "job.toml")

    assert code == 3
    assert "\x1b[?25l" in shown
    assert "30 succeeded, 10 failed, 10 filtered, 0 pending" in shown
    assert shown.endswith("\x1b[?25h" + shown.rpartition("\x1b[?25h")[2])
    assert "│ 30 " in shown
    assert "batchmill.run" not in shown


def test_a_terminal_can_have_log_lines_instead(project):
    code, shown = on_a_terminal("run", "job.toml", "--progress", "log")

    assert code == 3
    assert "run 1 of small begins" in shown
    assert "\x1b[?25l" not in shown


def test_a_bar_is_for_terminals_only(project, batchmill_process):
    ended = batchmill_process("run", "job.toml", "--progress", "bar")

    assert "\x1b" not in ended.err + ended.out
    assert "run 1 of small begins" in ended.err
