"""Runs of jobs in processes of their own, which can be killed and have their system calls broken.

with Lab(folder) as lab:
    trial = lab.trial(make_source(12))
    end = trial.run(shim=Break.kill(at=7))
    trial.run_to_the_end()
    assert trial.verdict().problems == []
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import oracle
from crash.breaks import Break as Break
from crash.starter import DEADLINE_S, zygote
from crash.starter import SOURCES as SOURCES
from crash.work import fate_of

DOCUMENTED = {0, 1, 2, 3, 4, 75, 130, 143}
"""The exit codes that a run may end with."""


@dataclass(frozen=True)
class End:
    """How a run's process ended."""

    status: int | None
    out: str
    err: str
    fired: bool
    """Whether what was to go wrong did."""

    @property
    def code(self) -> int | None:
        """The exit code; None for a process that was killed."""
        if self.status is None or not os.WIFEXITED(self.status):
            return None
        return os.WEXITSTATUS(self.status)

    @property
    def killed(self) -> bool:
        return self.status is not None and os.WIFSIGNALED(self.status)

    @property
    def report(self) -> dict[str, Any] | None:
        return json.loads(self.out.splitlines()[-1]) if self.out.strip() else None

    @property
    def problems(self) -> list[str]:
        """What is not as a run should end, however badly it goes: a documented code, a message."""
        if self.status is None:
            return ["the run hangs"]
        if self.killed:
            return []
        found = [] if self.code in DOCUMENTED else [f"exit code {self.code}"]
        if "Traceback" in self.err:
            found.append(f"a traceback: {self.err}")
        if self.code in (1, 2, 75) and not self.message:
            found.append(f"exit code {self.code} without a message")
        return found

    @property
    def message(self) -> str:
        reason = self.report["reason"] if self.report else ""
        said = [line for line in self.err.splitlines() if not line.startswith("note:")]
        return reason or "\n".join(said)


def _fired(log: Path) -> bool:
    return log.exists() and b"fired\t" in log.read_bytes()


def _text(path: Path) -> str:
    """What is in a file that a run which was killed at once may not have made."""
    return path.read_text() if path.exists() else ""


@dataclass
class Going:
    """A run that is under way."""

    lab: Lab
    pid: int
    out: Path
    err: Path
    log: Path

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self, within_s: float = DEADLINE_S) -> End:
        """Wait until it ends; a run that hangs is killed."""
        status = self.lab.zygote.ask({"wait": self.pid, "within_s": within_s})["status"]
        if status is None:
            self.kill()
            self.lab.zygote.ask({"wait": self.pid, "within_s": within_s})
        return End(status, _text(self.out), _text(self.err), _fired(self.log))

    def has_ended(self) -> End | None:
        status = self.lab.zygote.ask({"wait": self.pid, "within_s": 0})["status"]
        if status is None:
            return None
        return End(status, _text(self.out), _text(self.err), _fired(self.log))

    def wait_until_stopped(self) -> bool:
        """Wait until it has stopped itself, with all its threads; False if it ends without."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            states = self._states()
            if states <= {"T"} or states & {"Z", "X"}:
                return bool(states) and states == {"T"}
            time.sleep(0.0005)
        raise TimeoutError(f"process {self.pid} neither stops nor ends")

    def _states(self) -> set[str]:
        """The letters that the system has for the states of its threads; none if it is gone."""
        try:
            threads = list(Path(f"/proc/{self.pid}/task").iterdir())
            texts = [(thread / "stat").read_text() for thread in threads]
        except (FileNotFoundError, ProcessLookupError):
            return {"R"} if Path(f"/proc/{self.pid}").exists() else set()
        return {text.rpartition(")")[2].split()[0] for text in texts}


@dataclass
class Trial:
    """One job in a folder of its own, with its source beside it."""

    lab: Lab
    folder: Path
    sink: str = "out.jsonl"
    options: dict[str, Any] = field(default_factory=dict)
    """What every run of the job gets: {"job": {...}, "threads": True, "gen": 2, ...}."""
    runs: int = 0

    @property
    def source(self) -> Path:
        return self.folder / "in.jsonl"

    @property
    def home(self) -> Path:
        return self.folder / "job"

    @property
    def output(self) -> Path:
        return self.home / self.sink

    @property
    def executions(self) -> Path:
        return self.folder / "executions"

    @property
    def child(self) -> Path:
        """Where a run that forks writes down its child's number."""
        return self.folder / "child"

    @property
    def lock(self) -> Path:
        return self.home / "out.ledger.lock"

    def start(self, broken: Break | None = None, **more: Any) -> Going:
        spec, out, err, log = self._prepared(broken, more)
        pid = self.lab.zygote.ask({"start": spec, "out": str(out), "err": str(err)})["pid"]
        return Going(self.lab, pid, out, err, log)

    def _prepared(
        self, broken: Break | None, more: dict[str, Any]
    ) -> tuple[dict[str, Any], Path, Path, Path]:
        """What the next run is to do, and where its output, messages and record go."""
        self.runs += 1
        out, err, log = (self.folder / f"{self.runs}.{name}" for name in ("out", "err", "log"))
        log.unlink(missing_ok=True)
        spec = {**self.options, "source": str(self.source), "sink": str(self.output),
                "executions": str(self.executions), "child": str(self.child), **more}  # fmt: skip
        spec["job"] = {**self.options.get("job", {}), **more.get("job", {})}
        if broken is not None:
            spec["shim"] = {**vars(broken), "folder": str(self.home), "log": str(log)}
        return spec, out, err, log

    def run(self, broken: Break | None = None, **more: Any) -> End:
        return self.start(broken, **more).end()

    def run_in_turn(self, broken: Break | None = None, *, by: str, **more: Any) -> End:
        """The same, by a process of this name that does one run after the other.

        Cheaper by half. What a run leaves open or locked is in the way of those that come later.
        """
        spec, out, err, log = self._prepared(broken, more)
        command = {"run": spec, "out": str(out), "err": str(err), "by": by, "within_s": DEADLINE_S}
        status = self.lab.zygote.ask(command)["status"]
        return End(status, _text(out), _text(err), _fired(log))

    def log(self) -> bytes:
        """The record that the last run's shim kept."""
        return (self.folder / f"{self.runs}.log").read_bytes()

    def verdict(self, fate: Any = fate_of, *, calls: bool = True, **more: Any) -> oracle.Verdict:
        """What the oracle says; without `calls` it does not ask which calls were made."""
        ordered = self.options.get("job", {}).get("order") == "input"
        executions = self.executions if calls else None
        return oracle.check(
            self.source, self.output, fate, ordered=ordered, executions=executions, **more
        )

    def files(self) -> dict[str, bytes]:
        """What is in the job's files, and which calls were made; SQLite rebuilds its -shm."""
        paths = [path for path in self.home.iterdir() if not path.name.endswith("-shm")]
        paths += [path for path in [self.executions] if path.exists()]
        return {path.name: path.read_bytes() for path in paths}

    def copy(self) -> Trial:
        """The same job once more, as it lies there now."""
        folder = self.lab.new_folder()
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return replace(self, folder=folder)


class Lab:
    """A folder for trials, and the zygote that their runs come from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self.zygote = zygote()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.zygote.ask({"rest": True})

    def new_folder(self) -> Path:
        self._count += 1
        folder = self._folder / f"trial-{self._count}"
        folder.mkdir()
        return folder

    def trial(self, source: bytes, sink: str = "out.jsonl", **options: Any) -> Trial:
        trial = Trial(self, self.new_folder(), sink, options)
        trial.home.mkdir()
        trial.source.write_bytes(source)
        return trial
