"""Records are named to be run again while the end of the output has not been committed."""

from __future__ import annotations

import subprocess
import sys

from crash.harness import SOURCES, Break, Trial
from crash.scenarios import SLOWLY, completed_plain, second_generation, uncommitted

TASK = """
async def process_record(record):
    return {"id": record["id"], "part": 0, "gen": 2, "pad": ""}
"""


def test_what_was_not_committed_is_not_taken_for_results_when_records_are_marked(lab):
    trial = killed_in_a_write(completed_plain(lab, SLOWLY["job"]))

    marked = batchmill(trial, "rerun", "--key", "r00002")

    assert marked.returncode in (0, 3), marked.stderr
    assert trial.run(gen=2).problems == []
    assert trial.verdict(second_generation(of={2, 7, 8, 9})).problems == []


def killed_in_a_write(done: Trial) -> Trial:
    """The completed job, with three new records, one of which stands there by half."""
    source = done.source.read_bytes()
    done.source.write_bytes(source + b'{"id": "new", "kind": "plain"}\n' * 3)
    for n in range(1, 60):
        trial = done.copy()
        assert trial.run(Break.torn(n), gen=2).killed
        if trial.output.exists() and uncommitted(trial) > 0:
            return trial
    raise AssertionError("no kill leaves an uncommitted end")


def batchmill(trial: Trial, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (trial.folder / "task.py").write_text(TASK)
    (trial.folder / "job.toml").write_text(
        f'[job]\ntask = "task.py"\nkey = "id"\n[source]\npath = "{trial.source}"\n'
        f'[sink]\npath = "{trial.output}"\n'
    )
    line = [sys.executable, "-m", "batchmill", command, trial.folder / "job.toml", *arguments]
    return subprocess.run(line, env={"PYTHONPATH": SOURCES}, capture_output=True, text=True)
