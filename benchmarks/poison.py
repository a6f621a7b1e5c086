"""What do a few poisonous records cost? Calls a job whose records kill, hang or fill their process.

    python benchmarks/poison.py [RECORDS] [--workers 2]

Prints the dead letters, and how long the job took with them and without. The exit status is 1 if
any other record has no result, or if `batchmill verify` does not agree.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from batchmill import Job, Report, Retry, run
from batchmill.cli.app import invoke
from crash import poison


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", nargs="?", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    records, kinds = poison.make_source(arguments.records)
    with tempfile.TemporaryDirectory() as folder:
        harmless = [{"id": record["id"]} for record in records]
        without_s, _ = timed(Path(folder) / "harmless", harmless, arguments.workers)
        home = Path(folder) / "poison"
        with_s, report = timed(home, records, arguments.workers)
        agreed = invoke(["verify", str(home / "out.jsonl")]) == 0
        letters = [json.loads(line) for line in (home / "out.errors.jsonl").open()]
    for letter in letters:
        print(f"record {letter['seq']}, {kinds.get(letter['seq'])}: {letter['error']['type']}: "
              f"{letter['error']['message']} (attempts: {letter['attempts']})")  # fmt: skip
    print(f"{report.succeeded} succeeded, {report.failed} failed; {with_s:.1f} s, and "
          f"{without_s:.1f} s without the {len(kinds)} of them")  # fmt: skip
    as_wanted = kinds.keys() == {letter["seq"] for letter in letters}
    return 0 if agreed and as_wanted and report.succeeded == len(records) - len(kinds) else 1


def timed(home: Path, records: list[dict[str, Any]], workers: int) -> tuple[float, Report]:
    home.mkdir()
    source = home / "in.jsonl"
    source.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    job = Job(source=source, sink=home / "out.jsonl", task=poison.__file__, engine="process",
              workers=workers, timeout_s=2.0, worker_memory=256 << 20,
              retry=Retry(max_attempts=1))  # fmt: skip
    began = time.perf_counter()
    report = run(job)
    return time.perf_counter() - began, report


if __name__ == "__main__":
    sys.exit(main())
