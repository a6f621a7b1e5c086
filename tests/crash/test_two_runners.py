"""Two processes want to run one job. One of them does; the other one says why it does not."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import pytest

from crash.harness import DEADLINE_S, Break, Going, Trial
from crash.scenarios import SLOWLY
from crash.work import FateOf, fate_of, make_plain, make_source
from oracle import Fate

ERRORS_FILE = "the errors file"
"""A copy for people; each run brings it up to date at its start and end."""

OTHER = 22222
"""The generation of the other run's results, which makes them longer."""

IMPATIENT = {"sabotage": ["impatient"]}


def test_a_second_run_is_told_who_runs_the_job_and_changes_nothing(lab):
    trial = lab.trial(make_source(8, seed=3), **SLOWLY)
    first = trial.start(Break.stop(60))
    assert first.wait_until_stopped()
    before = {path.name: path.read_bytes() for path in trial.home.iterdir()}

    second = trial.run()

    assert second.code == 75
    assert {path.name: path.read_bytes() for path in trial.home.iterdir()} == before
    first.wake()
    assert f"process {first.pid} on " in second.err
    assert "hint:" in second.err
    assert first.end().problems == []
    assert trial.verdict().problems == []


def test_the_lock_is_free_at_once_when_the_holder_is_killed_even_if_its_child_lives_on(lab):
    trial = lab.trial(make_plain(30), **SLOWLY, fork=True)
    first = trial.start()
    wait_until(trial.child.exists)
    child = int(trial.child.read_text())
    first.kill()
    assert first.end().killed

    second = trial.run(fork=False)

    assert os.path.exists(f"/proc/{child}"), "the child must have outlived its parent"
    os.kill(child, 9)
    assert second.code == 0
    assert trial.verdict().problems == []


@pytest.mark.parametrize("step", range(1, 4))
def test_a_lock_file_that_a_killed_run_has_left_means_nothing(lab, step):
    trial = lab.trial(make_plain(4), **SLOWLY)
    assert trial.run(Break.kill(step)).killed

    assert trial.run().code == 0
    assert trial.verdict().problems == []


@pytest.mark.parametrize("part", range(4))
def test_a_run_that_was_paused_at_any_step_cannot_harm_the_run_that_took_over(lab, part):
    problems = pause_at(lab.trial(make_source(6, seed=6), **SLOWLY), range(1 + part, 999, 4))

    assert not problems, "\n".join(problems[:40])


def pause_at(
    template: Trial, steps: Iterable[int], *, enough: int | None = None, **more: object
) -> list[str]:
    """Pause a run at each of these steps, get past its lock, and let it go on after another run.

    `enough` problems end it before its time.
    """
    problems: list[str] = []
    for n in steps:
        trial = template.copy()
        paused = trial.start(Break.stop(n), **more)
        if not paused.wait_until_stopped():
            assert paused.end().problems == []
            assert n > 20, "the steps must pass through the shim"
            break
        found = take_over(trial, paused, **more)
        problems += [f"paused at step {n}: {problem}" for problem in found]
        if enough is not None and len(problems) >= enough:
            break
    return problems


def take_over(trial: Trial, paused: Going, **more: object) -> list[str]:
    """Let another run take over, wake the paused one, and bring the job to its end."""
    trial.lock.unlink(missing_ok=True)
    other = trial.run(**{**IMPATIENT, **more, "gen": OTHER})
    paused.wake()
    late = paused.end()
    found = [f"the other run: {problem}" for problem in other.problems]
    found += [f"the paused run: {problem}" for problem in late.problems]
    if {other.code, late.code} & {0, 3}:
        problems = trial.verdict(whoever_wrote(trial)).problems
        found += [problem for problem in problems if ERRORS_FILE not in problem]
    last = trial.run_in_turn(by="the last run", **more)
    if last.code not in (0, 3):
        found.append(f"the last run ended with {last.code}: {last.err}")
    return found + last.problems + trial.verdict(whoever_wrote(trial)).problems


def whoever_wrote(trial: Trial) -> FateOf:
    """Each result may be that of the paused run or that of the other one, but not of both."""
    there = trial.output.read_bytes() if trial.output.exists() else b""

    def fate(seq: int, line: bytes) -> Fate:
        first, other = fate_of(seq, line), fate_of(seq, line, OTHER)
        return other if isinstance(other, list) and other and other[0] in there else first

    return fate


def wait_until(holds) -> None:
    until = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)
