"""The example: nested lookups, in few statements."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "lookups_by_key"


def test_batches_give_the_same_answer_by_one_statement_a_level():
    demo = subprocess.run(
        [sys.executable, EXAMPLE / "demo.py"], capture_output=True, text=True, check=True
    )

    *_, single, batched, verdict = demo.stdout.splitlines()
    assert single.startswith("one by one:  464 statements")
    assert batched.startswith("in batches:    4 statements")
    assert verdict == "the same answer"
