"""A job that is killed again and again, at moments drawn by chance, until it has run to its end."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from crash.harness import DEADLINE_S, Break, Lab, Trial
from crash.work import make_source

POLL_S = 0.0002


@dataclass
class Chain:
    """What became of one chain of runs."""

    trial: Trial
    kills: int = 0
    runs: int = 0
    settled_at: list[int] = field(default_factory=list)
    """How many records were settled after each kill."""
    problems: list[str] = field(default_factory=list)

    def calls(self) -> int:
        path = self.trial.executions
        return path.stat().st_size // 8 if path.exists() else 0


INTERRUPTIONS = (
    [signal.SIGTERM],
    [signal.SIGTERM, signal.SIGTERM],
    [signal.SIGTERM, signal.SIGKILL],
)

MANNERS: tuple[dict[str, Any], ...] = (
    {"threads": False, "job": {"concurrency": 8, "retry_failed": False}},
    {"threads": True, "job": {"concurrency": 4}},
    {"threads": False, "job": {"concurrency": 1}},
    {"threads": True, "job": {"concurrency": 16, "retry_failed": False}},
)
"""How a run may be run, from one to the next: it makes no difference to the job."""

IN_PROCESSES: dict[str, Any] = {"threads": False, "processes": True, "job": {}}


def kill_again_and_again(
    lab: Lab,
    kills: int,
    seed: int,
    *,
    records: int = 1200,
    sink: str = "out.jsonl",
    order: str = "completion",
    manners: Sequence[dict[str, Any]] = MANNERS,
) -> Chain:
    """Kill a job's runs until there were so many kills, then let it run to its end.

    Half of the kills come from outside, once the run has made a number of calls; half strike at one
    of the run's own steps on its files. Now and then a run is interrupted instead, once or twice.
    """
    draw = random.Random(seed)
    job = {"order": order, "commit_every_s": 0.004}
    trial = lab.trial(make_source(records, seed), sink, job=job, pause_s=0.001)
    chain = Chain(trial)
    most = max(40, 3 * records // kills)
    while chain.kills < kills:
        _one_kill(chain, draw, most, draw.choice(manners))
    last = trial.run(pause_s=0.0, threads=draw.random() < 0.5)
    chain.runs += 1
    chain.problems += [f"the last run: {problem}" for problem in last.problems]
    chain.problems += trial.verdict(report=last.report).problems
    return chain


def _one_kill(chain: Chain, draw: random.Random, most: int, manner: dict[str, Any]) -> None:
    chain.runs += 1
    chance = draw.random()
    if chance < 0.45:
        end = chain.trial.run(
            draw.choice([Break.kill, Break.torn])(draw.randrange(1, 160)), **manner
        )
    else:
        going = chain.trial.start(**manner)
        _wait_for_calls(chain, chain.calls() + draw.randrange(most), draw.random() * 0.004)
        for number in [signal.SIGKILL] if chance < 0.9 else draw.choice(INTERRUPTIONS):
            going.signal(number)
        end = going.end()
    chain.kills += end.killed
    chain.problems += [f"after {chain.kills} kills: {problem}" for problem in end.problems]
    chain.settled_at.append(_settled(chain))


def _wait_for_calls(chain: Chain, calls: int, more_s: float) -> None:
    """Until the job's runs have made so many calls, or make no more."""
    until, seen = time.monotonic() + DEADLINE_S, -1
    changed_at = time.monotonic()
    while (now := time.monotonic()) < until:
        if chain.calls() != seen:
            seen, changed_at = chain.calls(), now
        if seen >= calls or now - changed_at > 0.5:
            break
        time.sleep(POLL_S)
    time.sleep(more_s)


def _settled(chain: Chain) -> int:
    """How many records are settled; what is, has to be right at any time."""
    try:
        verdict = chain.trial.verdict(complete=False)
    except Exception:
        return 0
    chain.problems += [f"after {chain.kills} kills: {problem}" for problem in verdict.problems]
    return verdict.settled
