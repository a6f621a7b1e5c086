"""A job is killed, or the disk fails, at every single step that it makes on its files.

Each test runs one job again and again: the first time its first call that changes a file goes
wrong, then its second, and so on until nothing is left to go wrong. After each the next run has to
go on as if nothing had happened.
"""

from __future__ import annotations

from functools import partial

import pytest

from batchmill.formats.json_reader import JsonReader
from batchmill.ledger.verify import verify
from batchmill.paths import JobPaths
from batchmill.sources.jsonl import JsonlFile
from crash.harness import Break, Trial
from crash.scenarios import SCENARIOS, sweep
from oracle import ledger_of

EVERY, ODD, EVEN, FIRST = range(1, 999), range(1, 999, 2), range(2, 999, 2), (1,)
STEPS = {
    "killed": (Break.kill, EVERY),
    "killed in the middle of a write": (Break.torn, EVERY),
    "the disk is full for a moment": (Break.full_disk, ODD),
    "the disk is full": (partial(Break.full_disk, always=True), EVEN),
    "an I/O error": (Break.broken_disk, ODD),
    "the disk is broken": (partial(Break.broken_disk, always=True), EVEN),
    "an interrupted call": (Break.interrupted, ODD),
    "a short write": (Break.short, EVEN),
    "every write short": (partial(Break.short, always=True), FIRST),
}


LOOPS = ("an interrupted call", "a short write", "every write short")
"""Faults that the loops around a system call take care of, which are the same for all jobs;"""
WRITERS = ("a fresh job", "a job in order, compressed", "a job whose output was edited",
           "a job that begins anew", "a job that was killed under format 1")  # fmt: skip
"""and the jobs that have every such loop: commits, frames, a rewrite, an archive, an upgrade."""
TRIED = [(scenario, step) for scenario in SCENARIOS for step in STEPS
         if step not in LOOPS or scenario in WRITERS]  # fmt: skip


@pytest.mark.parametrize(("scenario", "step"), TRIED)
def test_whatever_goes_wrong_at_any_step_the_next_run_goes_on(lab, scenario, step):
    break_at, steps = STEPS[step]

    problems = sweep(SCENARIOS[scenario](lab), break_at, steps, unsure=step == "the disk is broken")

    assert not problems, "\n".join(problems[:40])


@pytest.mark.parametrize("scenario", ["a fresh job", "a job that was killed"])
def test_verify_finds_nothing_wrong_with_what_a_kill_leaves_behind(lab, scenario):
    template = SCENARIOS[scenario](lab).trial
    differs: list[str] = []
    for n in range(1, 999, 3):
        trial = template.copy()
        if not trial.run(Break.kill(n)).fired:
            break
        differs += [f"killed at step {n}: {text}" for text in wrong(trial) if NO_RUN not in text]

    assert not differs, "\n".join(differs)
    assert n > 20


NO_RUN = "knows of no run"


def wrong(trial: Trial) -> list[str]:
    """What the library itself finds wrong with the job's files."""
    found = verify(
        JobPaths.of(trial.output), source=JsonlFile(trial.source), key="id",
        key_of=JsonReader(key="id").key_of,
    )  # fmt: skip
    texts = [finding.text for finding in found if finding.verdict == "differs"]
    return [text for text in texts if ledger_of(trial.output).exists() or "not there" not in text]
