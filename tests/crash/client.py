"""One run of one job, as a program that uses batchmill would do it, in a process of its own."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import sys
import time
import traceback
from dataclasses import dataclass
from typing import Any

from batchmill import BatchmillError, Job, Retry, current, run
from batchmill.events import Noted

from . import sabotage
from .work import answer

TRACEBACK_EXIT = 70
"""What the process ends with when something came out that is no BatchmillError."""


DISARMED = {"folder": "", "log": None, "what": "nothing", "error": 0, "kinds": 0, "at": 0,
            "always": False, "with_data": False}  # fmt: skip


class Notes:
    """Writes down what an operator would be told."""

    def on_event(self, event: object) -> None:
        if isinstance(event, Noted):
            print("note:", event.message, file=sys.stderr, flush=True)


def main(spec: dict[str, Any]) -> int:
    """Run the job of `spec`; report on stdout, messages on stderr, and the exit code."""
    _confine(spec)
    fd = os.open(spec["executions"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _arm(spec)
    try:
        return _run(spec, fd)
    finally:
        _arm({})
        os.close(fd)


def _run(spec: dict[str, Any], executions: int) -> int:
    try:
        with sabotage.committed(spec.get("sabotage", ())):
            report = run(_job(spec, executions), restart=spec.get("restart", False),
                         adopt=spec.get("adopt", False), observers=[Notes()])  # fmt: skip
    except BatchmillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return TRACEBACK_EXIT
    print(json.dumps(report.to_dict()))
    return report.exit_code


def _arm(spec: dict[str, Any]) -> None:
    """Let the shim do what `spec` says, which is nothing if it does not speak of it."""
    library = ctypes.CDLL(None)
    if spec.get("clock_backwards"):
        library.shim_clock_backwards()
    shim = spec.get("shim", DISARMED)
    library.shim_arm(
        shim["folder"].encode(), shim["log"] and shim["log"].encode(), shim["what"].encode(),
        shim["error"], shim["kinds"], ctypes.c_long(shim["at"]), shim["always"], shim["with_data"],
    )  # fmt: skip


def _confine(spec: dict[str, Any]) -> None:
    """Be another user, or one whose files may not grow beyond so many bytes."""
    if "file_limit" in spec:
        resource.setrlimit(resource.RLIMIT_FSIZE, (spec["file_limit"], -1))
    if "uid" in spec and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(spec["uid"])
        os.setuid(spec["uid"])


def _job(spec: dict[str, Any], executions: int) -> Job:
    options = dict(spec.get("job", {}))
    if spec.get("processes"):
        options |= {"engine": "process", "workers": 2}
    retry = Retry(max_attempts=5, wait_min_s=0.001, wait_max_s=0.002)
    return Job(
        source=spec["source"], sink=spec["sink"], task=_task(spec, executions),
        key=options.pop("key", "id"), systemic_after=0, retry=retry, **options,
    )  # fmt: skip


def _leave_a_child(path: str) -> None:
    """Fork a process that does nothing for a long time."""
    pid = os.fork()
    if not pid:
        time.sleep(120)
        os._exit(0)
    with open(path + ".new", "w") as file:
        file.write(str(pid))
    os.rename(path + ".new", path)


def _task(spec: dict[str, Any], fd: int) -> Any:
    pause_s, gen = spec.get("pause_s", 0.0), spec.get("gen", 1)

    def called() -> int:
        now = current()
        if spec.get("fork") and now.seq == 2:
            _leave_a_child(spec["child"])
        os.write(fd, b"%07d\n" % now.seq)
        return now.attempt

    async def on_the_loop(record: dict[str, Any]) -> Any:
        attempt = called()
        if pause_s:
            await asyncio.sleep(pause_s)
        return answer(record, attempt, gen)

    def in_a_thread(record: dict[str, Any]) -> Any:
        attempt = called()
        if pause_s:
            time.sleep(pause_s)
        return answer(record, attempt, gen)

    if spec.get("processes"):
        return InAProcess(spec["executions"], pause_s, gen)
    return in_a_thread if spec.get("threads") else on_the_loop


@dataclass
class InAProcess:
    """The same in worker processes, which open files of their own."""

    executions: str
    pause_s: float
    gen: int

    def on_startup(self) -> dict[str, int]:
        return {"fd": os.open(self.executions, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)}

    def process_record(self, record: dict[str, Any], context: dict[str, int]) -> Any:
        now = current()
        os.write(context["fd"], b"%07d\n" % now.seq)
        time.sleep(self.pause_s)
        return answer(record, now.attempt, self.gen)
