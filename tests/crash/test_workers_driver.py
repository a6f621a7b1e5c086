"""What becomes of a run, and of its worker processes, when the driver is killed or interrupted?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from batchmill.cli.app import invoke
from commands import environment
from crash.chains import IN_PROCESSES, MANNERS, kill_again_and_again
from crash.workers import calls_in, outlived, wait_until, workers_of
from faults.conftest import little

__all__ = ["little"]

KILLS = 8

DRIVER = """\
import sys
from batchmill import Job, run

class Heard:
    def on_event(self, event):
        if getattr(event, "message", "").startswith("stopping: "):
            open("heard", "w").close()

report = run(Job(source="in.jsonl", task="task.py", sink="out.jsonl", engine="process", workers=2,
                 grace_s=float(sys.argv[1])),
             observers=[Heard()])
sys.exit(report.exit_code)
"""
NOTED = """\
import os, pathlib, re, time
notes = os.open("calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def on_shutdown():
    with open("shutdowns", "a") as file:
        file.write("x")

def process_record(record):
    os.write(notes, b"%07d\\n" % record["id"])
    {call}
    return record
"""
CALLS = {
    "short": "time.sleep(0.002)",
    "asleep": "time.sleep(3600)",
    "in Python": "while True: pass",
    "in C, with the interpreter held": 're.match("(a+)+b", "a" * 60)',
}


@pytest.mark.parametrize(("sink", "order"), [("out.jsonl", "input"), ("out.csv", "completion")])
def test_a_job_that_is_killed_again_and_again_in_processes_and_elsewhere(lab, sink, order):
    manners = [IN_PROCESSES, IN_PROCESSES, *MANNERS[:2]]

    chain = kill_again_and_again(
        lab, KILLS, seed=5, records=400, sink=sink, order=order, manners=manners
    )

    assert not chain.problems, "\n".join(chain.problems[:40])
    assert KILLS == chain.kills
    assert chain.settled_at == sorted(chain.settled_at)


@pytest.fixture
def going(little, monkeypatch):
    """Starts a driver with two workers that are calling, in a process group of its own."""
    monkeypatch.chdir(little.folder)
    started: list[subprocess.Popen[bytes]] = []

    def start(call: str, records: int, grace_s: float = 30.0) -> subprocess.Popen[bytes]:
        Path("task.py").write_text(NOTED.format(call=CALLS[call]))
        little.write(*({"id": n} for n in range(records)))
        command = [sys.executable, "-c", DRIVER, str(grace_s)]
        process = subprocess.Popen(command, env=environment(), process_group=0)
        started.append(process)
        wait_until(lambda: calls_in(Path("calls")) >= 2 and len(workers_of(process.pid)) == 2)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("call", CALLS)
def test_no_worker_lives_on_when_its_driver_is_killed(going, call):
    driver = going(call, records=20_000)
    workers = workers_of(driver.pid)

    driver.kill()

    assert [] == outlived(workers)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_lets_calls_end_commits_and_shuts_the_workers_down(
    going, little, number, code
):
    driver = going("short", records=20_000)
    workers = workers_of(driver.pid)

    os.killpg(driver.pid, number)

    assert code == driver.wait(20)
    assert [] == outlived(workers)
    assert calls_in(Path("calls")) == len(little.results()) > 0
    assert "xx" == Path("shutdowns").read_text()
    assert 0 == invoke(["verify", "out.jsonl"])


@pytest.mark.parametrize("call", ["asleep", "in C, with the interpreter held"])
@pytest.mark.parametrize("grace_s", [0.1, 30.0], ids=["after its grace", "at the second signal"])
def test_calls_that_do_not_end_are_given_up(going, call, grace_s):
    driver = going(call, records=20, grace_s=grace_s)
    workers = workers_of(driver.pid)

    driver.terminate()
    if grace_s > 1:
        wait_until(Path("heard").exists)
        driver.terminate()

    assert 143 == driver.wait(20)
    assert [] == outlived(workers)
    assert 0 == invoke(["verify", "out.jsonl"])
