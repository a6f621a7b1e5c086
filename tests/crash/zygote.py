"""A process that has everything imported and forks clients as the commands say that it reads.

One JSON object a line, either way: {"start": spec, "out": path, "err": path} forks a process for
one run and is answered by {"pid"}, {"wait": pid, "within_s": seconds} by {"status"} as of
os.waitpid, null if it runs. {"run": spec, "out", "err", "by": name, "within_s"} lets the process of
that name do the run, which does one after the other, and is answered by {"status"} at its end;
{"rest": true} ends these processes and is answered by {}.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
from typing import Any

from crash import client

POLL_S = 0.0005


def main() -> None:
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        command = json.loads(line)
        act = next(act for word, act in ACTS.items() if word in command)
        print(json.dumps(act(command)), flush=True)
    _rest({})


def _start(command: dict[str, Any]) -> dict[str, Any]:
    pid = os.fork()
    if pid:
        return {"pid": pid}
    code = client.TRACEBACK_EXIT
    try:
        code = _run(command["start"], command["out"], command["err"])
    finally:
        os._exit(code)


def _run(spec: dict[str, Any], out: str, err: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for fd, path, how in ((0, os.devnull, os.O_RDONLY), (1, out, flags), (2, err, flags)):
        opened = os.open(path, how, 0o600)
        os.dup2(opened, fd)
        os.close(opened)
    code = client.main(spec)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _wait(command: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + command["within_s"]
    while True:
        pid, status = os.waitpid(command["wait"], os.WNOHANG)
        if pid:
            return {"status": status}
        if time.monotonic() > until:
            return {"status": None}
        time.sleep(POLL_S)


class Runner:
    """A process that does one run after the other. A run that hangs or dies is its last."""

    def __init__(self) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._orders)
            os.close(self._answers)
            self._serve(orders, answers)
        os.close(orders)
        os.close(answers)

    def _serve(self, orders: int, answers: int) -> None:
        try:
            for line in os.fdopen(orders):
                command = json.loads(line)
                code = _run(command["run"], command["out"], command["err"])
                os.write(answers, bytes([code]))
        finally:
            os._exit(client.TRACEBACK_EXIT)

    def run(self, command: dict[str, Any]) -> int | None:
        """The status of this run as of os.waitpid; None if it has not ended in time."""
        os.write(self._orders, json.dumps(command).encode() + b"\n")
        if not select.select([self._answers], [], [], command["within_s"])[0]:
            self.end()
            return None
        code = os.read(self._answers, 1)
        return code[0] << 8 if code else self.end()

    def end(self) -> int:
        os.kill(self._pid, signal.SIGKILL)
        os.close(self._orders)
        os.close(self._answers)
        return os.waitpid(self._pid, 0)[1]


runners: dict[str, Runner] = {}


def _run_by(command: dict[str, Any]) -> dict[str, Any]:
    runner = runners.pop(command["by"], None) or Runner()
    status = runner.run(command)
    if status is not None and os.WIFEXITED(status):
        runners[command["by"]] = runner
    return {"status": status}


def _rest(_: dict[str, Any]) -> dict[str, Any]:
    while runners:
        runners.popitem()[1].end()
    return {}


ACTS = {"start": _start, "wait": _wait, "run": _run_by, "rest": _rest}

if __name__ == "__main__":
    main()
