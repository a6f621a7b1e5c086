"""Jobs as they lie there when things begin to go wrong, and what they should come to."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crash.harness import Break, End, Lab, Trial
from crash.work import FateOf, fate_of, make_plain, make_source, marked
from oracle import State, ledger_of

FORMATS = Path(__file__).parent / "formats"
SLOWLY: dict[str, Any] = {"job": {"concurrency": 1, "commit_every_s": 0}, "pause_s": 0.001}
"""A commit after nearly every record."""


@dataclass
class Scenario:
    """A job as it lies there when things begin to go wrong, and what it should come to."""

    trial: Trial
    fate: FateOf = fate_of
    more: dict[str, Any] | None = None
    """How its runs differ from the job's usual ones."""
    counts: bool = True
    """Whether the numbers of the records are what they were, and so what is there after a fault can
    be told without knowing where it struck."""


def fresh(lab: Lab) -> Scenario:
    return Scenario(lab.trial(make_source(6, seed=6), **SLOWLY))


def in_order_and_compressed(lab: Lab) -> Scenario:
    job = {**SLOWLY["job"], "order": "input"}
    return Scenario(lab.trial(make_source(5, seed=6), "out.jsonl.gz", **{**SLOWLY, "job": job}))


def killed_before(lab: Lab) -> Scenario:
    """A few settled records, a dead letter, and an end of the output that was not committed."""
    trial = lab.trial(make_source(7, seed=7), **SLOWLY)
    for n in range(30, 200):
        once = trial.copy()
        assert once.run(Break.kill(n)).killed
        if once.output.exists() and uncommitted(once) and once.verdict(complete=False).settled > 2:
            return Scenario(once)
    raise AssertionError("no kill leaves an uncommitted end")


def uncommitted(trial: Trial) -> int:
    """Bytes behind the committed end."""
    committed: int = State.read(ledger_of(trial.output)).job["output"]["length"]
    return trial.output.stat().st_size - committed


def completed(lab: Lab) -> Scenario:
    trial = lab.trial(make_source(6, seed=6), **SLOWLY)
    assert trial.run().problems == []
    return Scenario(trial)


def killed_under_format_1(lab: Lab) -> Scenario:
    """A job that was killed while it was run by the version that wrote ledgers of format 1; it was
    made by `killed_before`."""
    trial = lab.trial(make_source(7, seed=7), **SLOWLY)
    shutil.copytree(FORMATS / "1", trial.folder, dirs_exist_ok=True)
    return Scenario(trial)


def fresh_csv(lab: Lab) -> Scenario:
    return Scenario(lab.trial(make_source(6, seed=6), "out.csv", **SLOWLY))


def csv_in_order_and_compressed(lab: Lab) -> Scenario:
    job = {**SLOWLY["job"], "order": "input", "sink_options": {"encoding": "utf-8-sig"}}
    return Scenario(lab.trial(make_source(5, seed=6), "out.csv.gz", **{**SLOWLY, "job": job}))


def edited_csv_output(lab: Lab) -> Scenario:
    """By hand, a column was added, one result marked in it, one deleted and one broken."""
    job = {**SLOWLY["job"], "rerun_key": "again"}
    bad = b'{"id": "bad", "kind": "bad"}\n'
    trial = lab.trial(make_plain(6) + bad, "out.csv", **{**SLOWLY, "job": job})
    assert trial.run().problems == []
    head, *rows = trial.output.read_bytes().splitlines()
    rows = [b"%s,%s" % (row, b"yes" if n == 1 else b"") for n, row in enumerate(rows)]
    lines = [head + b",again", *rows[:2], *rows[3:4], b'"' + rows[4], rows[5]]
    trial.output.write_bytes(b"\n".join(lines) + b"\n")
    return Scenario(trial, second_generation(of={1, 2, 4}), {"gen": 2}, counts=False)


def edited_output(lab: Lab) -> Scenario:
    """By hand, one result was marked, one deleted and one broken."""
    trial = completed_plain(lab, {**SLOWLY["job"], "rerun_key": "again"})
    lines = trial.output.read_bytes().splitlines(keepends=True)
    lines[1] = marked(lines[1])
    lines[4] = lines[4][:9] + b"\n"
    trial.output.write_bytes(b"".join(lines[:2] + lines[3:]))
    return Scenario(trial, second_generation(of={1, 2, 4}), {"gen": 2}, counts=False)


def changed_source(lab: Lab) -> Scenario:
    """Killed in the middle of a commit, and then a record was put before all others."""
    scenario = killed_before(lab)
    source = scenario.trial.source
    source.write_bytes(b'{"id": "new", "kind": "many"}\n' + source.read_bytes())
    return Scenario(scenario.trial, counts=False)


def lost_ledger(lab: Lab) -> Scenario:
    trial = completed_plain(lab, SLOWLY["job"])
    ledger_of(trial.output).unlink()
    more = {"gen": 2, "adopt": True}
    return Scenario(trial, second_generation(of=set()), more, counts=False)


def restarted(lab: Lab) -> Scenario:
    trial = completed_plain(lab, SLOWLY["job"])
    more = {"gen": 2, "restart": True}
    return Scenario(trial, second_generation(of=set(range(9))), more, counts=False)


def completed_plain(lab: Lab, job: dict[str, Any]) -> Trial:
    bad = b'{"id": "bad", "kind": "bad"}\n'
    trial = lab.trial(make_plain(6) + bad, **{**SLOWLY, "job": job})
    assert trial.run().problems == []
    return trial


def second_generation(of: set[int]) -> FateOf:
    return lambda seq, line: fate_of(seq, line, 2 if seq in of else 1)


SCENARIOS = {
    "a fresh job": fresh,
    "a job in order, compressed": in_order_and_compressed,
    "a job that was killed": killed_before,
    "a job that was killed under format 1": killed_under_format_1,
    "a job that was completed": completed,
    "a job whose output was edited": edited_output,
    "a fresh job with CSV": fresh_csv,
    "a job with CSV, in order, compressed": csv_in_order_and_compressed,
    "a job whose CSV was edited": edited_csv_output,
    "a job that lost its ledger": lost_ledger,
    "a job that was killed and whose source was changed": changed_source,
    "a job that begins anew": restarted,
}


def sweep(
    scenario: Scenario,
    break_at: Callable[[int], Break],
    steps: Sequence[int],
    *,
    unsure: bool = False,
    sabotage: Sequence[str] = (),
    enough: int | None = None,
) -> list[str]:
    """Let step after step go wrong; returns what was found wrong, by the number of the step.

    `enough` problems end it before its time. For `unsure` see the oracle.
    """
    problems: list[str] = []
    more = {"sabotage": sabotage, **(scenario.more or {})}
    breaking = _killed if break_at(1).kills else _failing
    for n, trial, end in breaking(scenario, break_at, steps, more):
        found = end.problems + _wrong_in_between(scenario, trial, end, unsure=unsure)
        again = trial.run_in_turn(by="the next run", **more)
        verdict = trial.verdict(scenario.fate, calls=scenario.counts)
        found += again.problems + _not_going_on(again) + verdict.problems
        problems += [f"step {n}: {problem}" for problem in found]
        if enough is not None and len(problems) >= enough:
            break
        if not end.fired:
            assert n > 20, "the steps of SQLite and of batchmill must pass through the shim"
            break
    return problems


def _failing(
    scenario: Scenario, break_at: Callable[[int], Break], steps: Sequence[int], more: dict[str, Any]
) -> Iterator[tuple[int, Trial, End]]:
    """The job after a run in which the step failed, for each of `steps`."""
    for n in steps:
        trial = scenario.trial.copy()
        yield n, trial, trial.run_in_turn(break_at(n), by="a run that fails", **more)


def _killed(
    scenario: Scenario, break_at: Callable[[int], Break], steps: Sequence[int], more: dict[str, Any]
) -> Iterator[tuple[int, Trial, End]]:
    """The job as a kill at each of `steps` leaves it, and at last as a whole run does.

    One run stands still at every step, with all its threads, and its files are copied: a kill would
    leave the same, and nothing is done by a process that is killed. They are looked at when the run
    has ended and holds nothing any more; once, if steps such as syncs have changed nothing.
    """
    trial = scenario.trial.copy()
    run = trial.start(break_at(min(steps)).standing_still(), **more)
    left: dict[int, Trial] = {}
    n, before = min(steps), None
    while run.wait_until_stopped():
        if (files := trial.files()) != before:
            left[n], before = trial.copy(), files
        run.wake()
        n += 1
    last = run.end()
    yield from ((step, there, KILLED) for step, there in left.items() if step in steps)
    yield n, trial, replace(last, fired=False)


KILLED = End(signal.SIGKILL, "", "", fired=True)


def _wrong_in_between(scenario: Scenario, trial: Trial, end: End, *, unsure: bool) -> list[str]:
    if "is damaged" in end.err:
        return [f"a fault of the disk is taken for a damaged ledger: {end.err}"]
    if not scenario.counts or not _has_job(trial):
        return []
    return trial.verdict(scenario.fate, complete=False, report=end.report, unsure=unsure).problems


def _has_job(trial: Trial) -> bool:
    try:
        return bool(State.read(ledger_of(trial.output)).job)
    except Exception:
        return False


def _not_going_on(again: End) -> list[str]:
    return [] if again.code in (0, 3) else [f"the next run ended with {again.code}: {again.err}"]
