"""Would the crash tests notice? Each rule of the commit is broken on purpose, and has to be missed.

A harness that has never been seen to fail proves nothing.
"""

from __future__ import annotations

import random

import pytest

from crash.harness import Break, Trial
from crash.scenarios import SLOWLY, Scenario, fresh, sweep, uncommitted
from crash.test_power_loss import lose_power
from crash.test_two_runners import IMPATIENT, pause_at
from crash.work import fate_of, make_plain, make_source


def test_results_that_are_not_synced_are_missed_after_a_power_loss(lab):
    keyless = Scenario(
        lab.trial(make_plain(6), **{**SLOWLY, "job": {**SLOWLY["job"], "key": None}})
    )

    missed = lose_power(keyless, random.Random(1), sabotage=["no_sync_of_results"])

    assert any("shorter than what was committed" in problem for problem in missed)


def test_results_that_are_committed_before_they_are_written_are_missed_after_a_kill(lab):
    keyless = Scenario(
        lab.trial(make_plain(6), **{**SLOWLY, "job": {**SLOWLY["job"], "key": None}})
    )

    missed = sweep(keyless, Break.kill, range(30, 99), sabotage=["ledger_first"], enough=1)

    assert missed


def test_an_uncommitted_end_that_is_not_cut_off_is_noticed(lab):
    trial = lab.trial(make_source(9, seed=12), **SLOWLY)
    steps = range(24, 50, 2)

    assert not any(_leaves_an_end(trial, n, []) for n in steps)
    assert any(_leaves_an_end(trial, n, ["no_cut"]) for n in steps)


def _leaves_an_end(template: Trial, n: int, sabotage: list[str]) -> bool:
    """Whether a kill in the middle of a write leaves something behind the committed end of the
    output, although another run has been there and has left nothing to be done."""
    trial = template.copy()
    trial.run(Break.torn(n))
    trial.run(job={"limit": 0, "retry_failed": False}, sabotage=sabotage)
    problems = trial.verdict(complete=False).problems
    return bool(problems) or (trial.output.exists() and uncommitted(trial) > 0)


def test_a_run_that_was_taken_over_and_goes_on_nevertheless_is_noticed(lab):
    template = lab.trial(make_source(6, seed=6), **SLOWLY)
    sabotage = [*IMPATIENT["sabotage"], "no_epoch", "no_watch"]

    noticed = pause_at(template, range(30, 90), sabotage=sabotage, enough=1)

    assert any("were committed" in problem for problem in noticed), "\n".join(noticed)


@pytest.mark.parametrize("fault", [Break.full_disk, Break.broken_disk])
def test_an_error_that_is_swallowed_is_noticed(lab, fault):
    noticed = sweep(fresh(lab), fault, range(30, 99), sabotage=["errors_swallowed"], enough=1)

    assert noticed


def test_a_result_that_is_not_that_of_its_record_is_noticed(lab):
    scenario = fresh(lab)
    assert scenario.trial.run().problems == []

    wrong = scenario.trial.verdict(lambda seq, line: fate_of(seq, line, gen=2)).problems

    assert any("lost" in problem for problem in wrong)
    assert any("too many" in problem for problem in wrong)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-7],
        lambda text: text[: text.index(b"\n") + 1] + text,
        lambda text: text.replace(b'"part":0', b'"part":7', 1),
        lambda text: text[text.index(b"\n") + 1 :],
    ],
    ids=["torn", "doubled", "changed", "lost"],
)
def test_an_output_that_was_damaged_is_noticed(lab, damage):
    scenario = fresh(lab)
    assert scenario.trial.run().problems == []
    assert scenario.trial.verdict().problems == []

    output = scenario.trial.output
    output.write_bytes(damage(output.read_bytes()))

    assert scenario.trial.verdict().problems
