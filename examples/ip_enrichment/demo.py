"""Run the job, interrupt it, resume it, kill it, resume it, verify it, and prove the result.

    python demo.py [--dir FOLDER]

Ends with exit code 0 only if every claim holds.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.request import ProxyHandler, build_opener

import make_input
import proof
from proof import Claim

Process = subprocess.Popen[Any]
HERE = Path(__file__).parent
DATA = HERE.parent.parent / "demo-data"

INTERRUPT_AFTER, KILL_AFTER = 1_200, 2_600  # answers of the service
DONE, DONE_WITH_FAILURES, INTERRUPTED, KILLED = 0, 3, 130, -signal.SIGKILL
PATIENCE_S = 60.0
POLL_S = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description="The demonstration of batchmill.")
    parser.add_argument("--dir", type=Path, default=DATA, help="the job's folder (demo-data)")
    folder = parser.parse_args().dir
    began = time.monotonic()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # In the background of a script; what is started here has to hear it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare(folder)
    with service() as url:
        stage = Stage(folder, url)
        claims = [*interrupted(stage), *killed(stage), *finished(stage)]
        summarise(stage, time.monotonic() - began)
    return conclude(claims)


def prepare(folder: Path) -> None:
    """A folder as a user would have it: the job, the task, the input. Old results go."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("ips*"):
        old.unlink()
    for name in ("job.toml", "task.py"):
        shutil.copyfile(HERE / name, folder / name)
    (folder / proof.INPUT).write_text("".join(f"{row}\n" for row in make_input.rows()))


@contextmanager
def service() -> Iterator[str]:
    """The address of a running service, which ends with the block."""
    command = [sys.executable, str(HERE / "server.py")]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        if not url:
            fail("the service did not start")
        yield url


@contextmanager
def ended(process: Process) -> Iterator[Process]:
    """The process, which does not outlive the block."""
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


class Stage:
    """The job's folder and the service: what is run, and what was asked."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._url = url
        self._opener = build_opener(ProxyHandler({}))

    def command(self, *words: str) -> int:
        """Run batchmill to its end; its exit code."""
        with self._started(*words) as process:
            return process.wait(PATIENCE_S)

    def stopped_by(self, number: signal.Signals, answered: int) -> int:
        """Run the job and send it the signal after so many answers in all; its exit code."""
        with self._started("run", "job.toml") as process:
            deadline = time.monotonic() + PATIENCE_S
            while process.poll() is None and self.totals().get("success", 0) < answered:
                if time.monotonic() > deadline:
                    fail(
                        f"the service was not asked for {answered} addresses in {PATIENCE_S:.0f} s"
                    )
                time.sleep(POLL_S)
            say(f"  ... {number.name}")
            process.send_signal(number)
            return process.wait(PATIENCE_S)

    def totals(self) -> dict[str, int]:
        totals: dict[str, int] = self._ask("/stats")
        return totals

    def answers(self) -> proof.Answers:
        answers: proof.Answers = self._ask("/stats/ips")
        return answers

    def _started(self, *words: str) -> AbstractContextManager[Process]:
        say("", f"$ batchmill {' '.join(words)}")
        command = [sys.executable, "-m", "batchmill", *words]
        return ended(
            subprocess.Popen(command, cwd=self.folder, env=os.environ | {"GEO_URL": self._url})
        )

    def _ask(self, path: str) -> Any:
        with self._opener.open(self._url + path, timeout=PATIENCE_S) as response:
            return json.load(response)


def interrupted(stage: Stage) -> list[Claim]:
    say("", "== 1. Interrupt it as Ctrl-C does: it finishes the calls in flight and commits")
    code = stage.stopped_by(signal.SIGINT, INTERRUPT_AFTER)
    claims = [
        Claim(f"exit code {INTERRUPTED}: interrupted, committed, resumable", code == INTERRUPTED)
    ]
    return claims + proof.after_interrupt(stage.folder, stage.answers())


def killed(stage: Stage) -> list[Claim]:
    say("", "== 2. Resume it, and kill it with kill -9: nothing can be finished or committed")
    code = stage.stopped_by(signal.SIGKILL, KILL_AFTER)
    return [Claim("killed in the middle", code == KILLED)]


def finished(stage: Stage) -> list[Claim]:
    say("", "== 3. Resume it, and let it end")
    code = stage.command("run", "job.toml")
    claims = [
        Claim(f"exit code {DONE_WITH_FAILURES}: done, with failures", code == DONE_WITH_FAILURES)
    ]
    code = stage.command("failures", "job.toml")
    claims.append(Claim("the failures can be listed", code == DONE))
    code = stage.command("verify", "job.toml")
    claims.append(Claim("verify: ledger, output and source agree", code == DONE))
    return claims + proof.after_all(stage.folder, stage.answers())


def summarise(stage: Stage, duration_s: float) -> None:
    totals, again = stage.totals(), proof.repeats(stage.answers())
    lines = {
        "calls to the service": totals["calls"],
        "  addresses answered for the first time": totals.get("success", 0) - again,
        "  answered again, after the kill": again,
        "  429, too many requests": totals.get("rate_limited", 0),
        "  500 or 503, succeeded later": totals.get("error", 0),
        "  address refused for good (five of them, each run)": totals.get("fail", 0),
    }
    say("", f"== Summary, after {duration_s:.0f} s")
    say(*(f"{name:<52}{number:>7,}" for name, number in lines.items()))


def conclude(claims: list[Claim]) -> int:
    say("", *(f"{'ok     ' if claim.holds else 'FAILED '}{claim.text}" for claim in claims))
    return 0 if all(claim.holds for claim in claims) else 1


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def fail(why: str) -> NoReturn:
    raise SystemExit(f"demo: {why}")


if __name__ == "__main__":
    sys.exit(main())
