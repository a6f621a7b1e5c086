"""How long does it take until a resumed job makes its first call? And `import batchmill`?

    python benchmarks/resume.py [--lines 3000000]
    python benchmarks/resume.py --letters 1000000

All lines but ten are settled by a first run; ten are then pending, among them the very first and
the very last one. The time is that from the call of `run` to the first call of the task. With
`--letters`: how long it takes to open a ledger with so many dead letters.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import child, make_lines, peak_mib

PENDING = 10


def first_run(source: Path, output: Path, lines: int) -> None:
    """Settle all but ten records, and end as a killed run would: no more than committed."""
    from contextlib import closing

    from batchmill import Job, run
    from batchmill.core.progress import Progress
    from batchmill.ledger.ledger import SqliteLedger
    from batchmill.ledger.marks import Marks
    from batchmill.records import Counts, Mark, OutcomeCode

    run(Job(source=source, task=lambda record: None, sink=output, engine="async"))
    progress, counts = Progress(), Counts()
    holes = [lines * n // PENDING for n in range(PENDING)]
    for start, stop in zip(holes, [*holes[1:], lines], strict=True):
        progress.settle(start + 1, stop, OutcomeCode.FILTERED)
        counts.note(OutcomeCode.FILTERED, stop - start - 1)
    with closing(SqliteLedger(output.with_suffix(".ledger"), "job")) as ledger:
        marks = Marks(Mark(), ledger.marks.extent)
        with ledger.rebuilding(0, 0, 0):
            ledger.restate(progress, counts, marks, None)
    print(json.dumps({}))


def tail_run(source: Path, output: Path, lines: int) -> None:
    """Settle all but the last ten records."""
    from batchmill import Job, run

    run(Job(source=source, task=lambda record: None, sink=output, engine="async",
            limit=lines - PENDING))  # fmt: skip
    print(json.dumps({}))


def resume(source: Path, output: Path) -> None:
    from batchmill import Job, run

    began = time.perf_counter()
    called: list[float] = []

    def task(record: dict[str, Any]) -> None:
        called.append(time.perf_counter() - began)

    report = run(Job(source=source, task=task, sink=output, engine="async"))
    assert report.called == PENDING and report.state == "completed", report
    print(json.dumps({"first_s": called[0], "all_s": time.perf_counter() - began,
                      "peak_mib": peak_mib()}))  # fmt: skip


def import_s() -> float:
    """Seconds that `import batchmill` adds to the start of the interpreter."""

    def once(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    return statistics.median(once("import batchmill") - once("pass") for _ in range(9))


def open_with_letters(count: int) -> None:
    """Make a ledger with `count` dead letters, and open it, to write and to read."""
    from batchmill.ledger.ledger import SqliteLedger
    from batchmill.ledger.reading import read_ledger

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.ledger"
        fail_all(path, count)
        to_write, to_read = [], []
        for _ in range(9):
            began = time.perf_counter()
            SqliteLedger(path, "job").close()
            to_write.append(time.perf_counter() - began)
            began = time.perf_counter()
            with read_ledger(path):
                to_read.append(time.perf_counter() - began)
        print(f"{count} dead letters, {path.stat().st_size >> 20} MiB: opened to write after "
              f"{statistics.median(to_write) * 1000:.1f} ms, to read after "
              f"{statistics.median(to_read) * 1000:.1f} ms")  # fmt: skip


def fail_all(path: Path, count: int) -> None:
    from contextlib import closing

    from batchmill.ledger.ledger import SqliteLedger, now_text
    from batchmill.records import Commit, Counts, DeadLetter, Failure, Mark, OutcomeCode, Region

    failure = Failure("ValueError", "no such thing " * 5, "Traceback " * 60, ())
    at = now_text()
    with closing(SqliteLedger(path, "job")) as ledger:
        ledger.begin_run({}, {})
        for start in range(0, count, 50_000):
            stop = min(count, start + 50_000)
            letters = [DeadLetter(seq, b'{"id":%d}' % seq, failure, 1, at, at, seq)
                       for seq in range(start, stop)]  # fmt: skip
            commit = Commit(dead_letters=letters, settled=[(start, stop, OutcomeCode.FAILED)])
            commit.counts, commit.marks = Counts(failed=stop - start), [Mark(stop, stop)]
            ledger.commit(commit, lambda _: Region(0, 0, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=3_000_000)
    parser.add_argument("--letters", type=int)
    parser.add_argument("--child", nargs="+")
    options = parser.parse_args()
    if options.letters:
        open_with_letters(options.letters)
        return
    if options.child:
        step, *arguments = options.child
        if step == "resume":
            resume(Path(arguments[0]), Path(arguments[1]))
        else:
            {"first": first_run, "tail": tail_run}[step](
                Path(arguments[0]), Path(arguments[1]), int(arguments[2])
            )
        return
    print(f"import batchmill: {import_s() * 1000:.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        make_lines(source, options.lines)
        for step, where in (("tail", "at the end"), ("first", "spread over the source")):
            output = Path(folder) / f"{step}.jsonl"
            child(__file__, "--child", step, source, output, options.lines)
            figures = child(__file__, "--child", "resume", source, output)
            print(f"{options.lines - PENDING} settled, {PENDING} pending {where}: first call after "
                  f"{figures['first_s']:.3f} s, all after {figures['all_s']:.3f} s, peak "
                  f"{figures['peak_mib']:.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
