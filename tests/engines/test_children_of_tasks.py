"""What a task forks is the task's own: it inherits no signal handler, pipe or turn of ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from commands import environment, start

ENGINES = {
    "async": ("async def", "async"), "thread": ("def", "thread"),
    "process": ("def", "process"), "coroutines in a process": ("async def", "process"),
}  # fmt: skip


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def ran(request, tmp_path):
    """Runs a task as a command, in every engine; returns how it ended."""
    define, engine = request.param

    def run(text, records=8):
        (tmp_path / "task.py").write_text(text.replace("DEF", define))
        (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {n}}}\n' for n in range(records)))
        command = start("run", "task.py", "--input", "in.jsonl", "--output", "out.jsonl",
                        "--engine", engine, "-j", 2, "--progress", "none", "--log-level", "error",
                        cwd=tmp_path, start_new_session=True, text=True,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        try:
            out, err = command.communicate(timeout=30)
        finally:
            with_all = command.pid
            if command.poll() is None:
                os.killpg(with_all, signal.SIGKILL)
        return command.returncode, out, err

    run.results = lambda: [
        json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()
    ]
    return run


def test_a_pool_of_forked_processes_ends(ran):
    code, _, err = ran("""\
import multiprocessing
pools = multiprocessing.get_context("fork")
def square(n): return n * n
def on_startup():
    for _ in range(4):
        with pools.Pool(2) as pool: pool.map(square, range(4))
DEF process_record(record):
    with pools.Pool(2) as pool:
        return record | {"squares": pool.map(square, range(4))}
""")

    assert 0 == code, err
    assert [[0, 1, 4, 9]] * 8 == [result["squares"] for result in ran.results()]


def test_a_forked_child_is_ended_by_signals_however_soon(ran):
    code, _, err = ran("""\
import os, signal, time
DEF process_record(record):
    ended = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(9)
        os.kill(pid, number)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return record | {"ended": ended}
""")

    assert 0 == code, err
    assert [[-15, -1, -15]] * 8 == [result["ended"] for result in ran.results()]


@pytest.mark.parametrize(
    ("act", "status"),
    [("sys.exit(7)", 7), ("sys.exit()", 0), ("return record", 1), ("raise ValueError", 1)],
)
def test_a_forked_child_that_comes_back_ends_there(ran, act, status):
    code, _, err = ran(f"""\
import atexit, os, sys
def note(what):
    with open("notes", "a") as file: file.write(what + chr(10))
def on_startup():
    atexit.register(note, f"exit of {{os.getpid()}}")
DEF process_record(record):
    note("call")
    pid = os.fork()
    if pid == 0:
        atexit.register(note, "exit of a child")
        {act}
    return record | {{"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}}
""")

    assert 0 == code, err
    assert [status] * 8 == [result["status"] for result in ran.results()]
    assert sorted(range(8)) == sorted(result["id"] for result in ran.results())


DRIVER = """\
import subprocess, sys, batchmill
def task(n):
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    spin = "while True: pass" if n else "import time; time.sleep(60)"
    exec(spin)
list(batchmill.map(task, [0, 1], engine="process", workers=2))
"""


def test_what_a_task_has_started_in_a_worker_ends_with_a_driver_that_is_killed(tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    driver = subprocess.Popen([sys.executable, "driver.py"], cwd=tmp_path, env=environment(),
                              stdout=subprocess.PIPE, text=True)  # fmt: skip
    children = [int(driver.stdout.readline()) for _ in range(2)]
    driver.kill()
    driver.wait()
    driver.stdout.close()

    until = time.monotonic() + 5
    while (left := [pid for pid in children if is_alive(pid)]) and time.monotonic() < until:
        time.sleep(0.01)
    assert [] == left


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(")")[1].split()[0] != "Z"
    except OSError:
        return False
