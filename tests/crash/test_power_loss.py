"""The power fails at any moment: what was not synced is there, or half there, or gone."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from crash.harness import Break
from crash.power import Disk, disks, put
from crash.scenarios import SCENARIOS, Scenario

STATES = 40
"""Power losses drawn for each scenario."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_power_loss_at_any_moment_loses_nothing_and_doubles_nothing(lab, scenario):
    problems = lose_power(SCENARIOS[scenario](lab), random.Random(f"power {scenario}"))

    assert not problems, "\n".join(problems[:40])


def lose_power(
    scenario: Scenario, draw: random.Random, states: int = STATES, **more: object
) -> list[str]:
    """Lose the power at random moments of a run; returns what was found wrong afterwards."""
    usual = scenario.more or {}
    trial = scenario.trial.copy()
    before = trial.copy()
    start = Disk.of(trial.home)
    end = trial.run(Break.nothing(), **usual, **more)
    assert end.problems == []
    assert end.code in (0, 3)
    problems = []
    for n, disk in enumerate(_at_random(start, trial.log(), draw, states)):
        after = before.copy()
        put(after.home, disk.lose_power(draw))
        again = after.run_in_turn(by="the next run", **usual)
        found = again.problems + after.verdict(scenario.fate, calls=False).problems
        if again.code not in (0, 3):
            found.append(f"the next run ended with {again.code}: {again.err}")
        problems += [f"state {n}: {problem}" for problem in found]
    return problems


def _at_random(start: Disk, log: bytes, draw: random.Random, states: int) -> Iterator[Disk]:
    count = sum(1 for _ in disks(start, log))
    chosen = [draw.randrange(count) for _ in range(states)]
    for n, disk in enumerate(disks(start, log)):
        for _ in range(chosen.count(n)):
            yield disk
