"""What do kills of worker processes cost? Kills workers of one job again and again with SIGKILL.

    python benchmarks/worker_kills.py [KILLS] [--workers 2] [--seed 1]

Prints how many results were lost or doubled, of how many the attempts were miscounted (none, or the
exit status is 1), and how many calls had to be made again for each kill.
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

from batchmill import Job, run
from crash.workers import Killer

RECORDS_PER_KILL = 200
TASK = """\
import os, time
notes = os.open({notes!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def process_record(record):
    os.write(notes, b"%07d\\n" % record["id"])
    time.sleep(0.002)
    if record["id"] % 50 == 7:
        raise ValueError("bad")
    return {{"id": record["id"]}}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", nargs="?", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    count = given.kills * RECORDS_PER_KILL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notes = folder / "calls"
        (folder / "task.py").write_text(TASK.format(notes=str(notes)))
        (folder / "in.jsonl").write_text("".join(f'{{"id": {n}}}\n' for n in range(count)))
        job = Job(source=folder / "in.jsonl", sink=folder / "out.jsonl",
                  task=str(folder / "task.py"), engine="process", workers=given.workers,
                  systemic_after=0)  # fmt: skip
        began = time.perf_counter()
        with Killer(notes, given.kills, RECORDS_PER_KILL, given.seed) as killer:
            report = run(job)
        print(f"{killer.kills} kills, {time.perf_counter() - began:.0f} s: {report.state}")
        return _tell(folder, notes, count, killer.kills)


def _tell(folder: Path, notes: Path, count: int, kills: int) -> int:
    letters = [json.loads(line) for line in (folder / "out.errors.jsonl").open()]
    results = Counter(json.loads(line)["id"] for line in (folder / "out.jsonl").open())
    calls = Counter(map(int, notes.read_bytes().split()))
    blamed = [each for each in letters if each["error"]["type"] == "WorkerDied"]
    unjust = [each["seq"] for each in blamed if calls[each["seq"]] < 3]
    # A kill between the beginning of a call and the note that its task makes is one more.
    miscounted = [each["seq"] for each in letters
                  if not 0 <= each["attempts"] - calls[each["seq"]] <= 1]  # fmt: skip
    known = results.keys() | {each["seq"] for each in letters}
    lost, doubled = count - len(known), sum(results.values()) - len(results)
    print(f"lost {lost}, doubled {doubled}, miscounted {len(miscounted)}")
    print(f"dead letters for deaths of workers: {len(blamed)}, unjust {len(unjust)}")
    again = sum(calls.values()) - count
    print(f"calls made again: {again}, {again / max(1, kills):.1f} for each kill")
    return 1 if lost or doubled or miscounted or unjust else 0


if __name__ == "__main__":
    sys.exit(main())
