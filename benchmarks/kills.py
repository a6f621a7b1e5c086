"""What do kills cost? Kills the runs of one job again and again and counts what was lost.

    python benchmarks/kills.py [KILLS] [--sink out.jsonl.gz] [--order input] [--seed 1]

Prints how many results were lost, doubled or torn (none, or the exit status is 1) and how many
calls had to be made again for each kill. Uses the machinery of the tests, and so needs gcc.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from crash.chains import Chain, kill_again_and_again
from crash.harness import Lab
from oracle import lines_of

NEEDED = {"plain": 1, "many": 1, "none": 1, "empty": 1, "flaky": 3}
"""Calls that a record of each kind needs; failed ones are called again by every run as it is."""


def main() -> int:
    arguments = _parser().parse_args()
    memory = Path("/dev/shm")
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        Lab(Path(folder)) as lab,
    ):
        chain = kill_again_and_again(
            lab, arguments.kills, arguments.seed, records=12 * arguments.kills,
            sink=arguments.sink, order=arguments.order,
        )  # fmt: skip
        return _tell(chain, time.perf_counter() - began)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", nargs="?", type=int, default=200)
    parser.add_argument("--sink", default="out.jsonl", help="its ending says how it is compressed")
    parser.add_argument("--order", default="completion", choices=("completion", "input"))
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _tell(chain: Chain, seconds: float) -> int:
    verdict = chain.trial.verdict()
    again = _calls_again(chain)
    print(f"{chain.kills} kills in {chain.runs} runs, {seconds:.0f} s")
    print(f"{verdict.settled} records settled; {verdict.calls} calls")
    print(f"lost {len(verdict.lost)}, doubled {len(verdict.doubled)}, torn {len(verdict.torn)},"
          f" strange {len(verdict.strange)}, miscounted {len(verdict.miscounted)}")  # fmt: skip
    print(f"calls made again: {again}, {again / chain.kills:.1f} for each kill")
    for problem in chain.problems[:20]:
        print("  ", problem)
    return 1 if chain.problems else 0


def _calls_again(chain: Chain) -> int:
    """Calls of records that did not fail, beyond those that they needed."""
    calls = Counter(map(int, chain.trial.executions.read_bytes().split()))
    return sum(max(0, calls[n] - need) for n, need in _needs(chain).items())


def _needs(chain: Chain) -> dict[int, int]:
    needs = {}
    for n, line in enumerate(lines_of(chain.trial.source)):
        try:
            needs[n] = NEEDED[json.loads(line)["kind"]]
        except (ValueError, KeyError):
            continue
    return needs


if __name__ == "__main__":
    sys.exit(main())
