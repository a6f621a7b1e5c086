"""A process that has everything imported and forks a client for every command it reads.

One JSON object a line, either way: {"start": spec, "out": path, "err": path} is answered by
{"pid"}, {"wait": pid, "within_s": seconds} by {"status"} as of os.waitpid, null if it runs.
"""

from __future__ import annotations

import gc
import json
import os
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
        answer = _start(command) if "start" in command else _wait(command)
        print(json.dumps(answer), flush=True)


def _start(command: dict[str, Any]) -> dict[str, Any]:
    pid = os.fork()
    if pid:
        return {"pid": pid}
    code = client.TRACEBACK_EXIT
    try:
        _redirect(command["out"], command["err"])
        code = client.main(command["start"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _redirect(out: str, err: str) -> None:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    for fd, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), fd)


def _wait(command: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + command["within_s"]
    while True:
        pid, status = os.waitpid(command["wait"], os.WNOHANG)
        if pid:
            return {"status": status}
        if time.monotonic() > until:
            return {"status": None}
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
