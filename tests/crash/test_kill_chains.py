"""kill -9 at moments drawn by chance, again and again: nothing is lost, doubled or torn."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crash.chains import Chain, kill_again_and_again
from crash.harness import SOURCES

KILLS = 27


@pytest.mark.parametrize(
    ("sink", "order"),
    [("out.jsonl", "completion"), ("out.jsonl.gz", "input"), ("out.jsonl.zst", "completion"),
     ("out.jsonl", "input"), ("out.csv", "completion"), ("out.csv.zst", "input")],
)  # fmt: skip
def test_a_job_that_is_killed_again_and_again_ends_as_if_it_had_not_been(lab, sink, order):
    chain = kill_again_and_again(lab, KILLS, seed=len(sink + order), sink=sink, order=order)

    assert not chain.problems, "\n".join(chain.problems[:40])
    assert chain.kills == KILLS
    assert chain.settled_at == sorted(chain.settled_at)
    assert len(set(chain.settled_at)) > KILLS // 5, "the kills must strike while the job goes on"
    assert verify(chain) == 0


def verify(chain: Chain) -> int:
    """What the command says."""
    trial = chain.trial
    (trial.folder / "task.py").write_text("async def process_record(record):\n    return record\n")
    (trial.folder / "job.toml").write_text(
        f'[job]\ntask = "task.py"\nkey = "id"\n[source]\npath = "{trial.source}"\n'
        f'[sink]\npath = "{trial.output}"\norder = "{trial.options["job"]["order"]}"\n'
    )
    command = [sys.executable, "-m", "batchmill", "verify", str(trial.folder / "job.toml")]
    ended = subprocess.run(command, env={"PYTHONPATH": SOURCES}, capture_output=True, text=True)
    print(ended.stdout, ended.stderr)
    return ended.returncode
