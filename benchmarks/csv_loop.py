"""How fast is a job from CSV to CSV compared with a bare loop, and how much memory does it take?

    python benchmarks/csv_loop.py [--rows 500000] [--rounds 5]
    python benchmarks/csv_loop.py --memory

The bare loop is `for row in csv.reader: csv.writer.writerow(f(row))`, rows of ten cells, of which
one is quoted; `f` adds one field. A second bare loop makes dicts, as csv.DictReader would. The job
has all on: ledger, fsync, commits, retries armed, progress, latency.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from common import WORDS, alternate, child, median, peak_mib, ratios

NAMES = ["id", "ip", "user", "tag", "text", "price", "pieces", "from", "to", "note"]


def make_rows(path: Path, count: int) -> None:
    """Write `count` rows of about 110 bytes; the same ones every time."""
    draw = random.Random(count)
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(NAMES)
        for n in range(count):
            words = draw.choices(WORDS, k=6)
            rows.writerow([n, f"10.{n % 256}.7.{n % 13}", f"user-{draw.randrange(10**8):08d}",
                           words[0], " ".join(words[1:4]), round(draw.random() * 100, 2),
                           draw.randrange(50), words[4], words[5],
                           "a, b" if n % 10 == 0 else "plain"])  # fmt: skip


def bare(source: Path, output: Path) -> None:
    with source.open(newline="") as rows, output.open("w", newline="") as results:
        reader, writer = csv.reader(rows), csv.writer(results, lineterminator="\n")
        writer.writerow([*next(reader), "country"])
        for row in reader:
            row.append("NZ")
            writer.writerow(row)


def bare_with_dicts(source: Path, output: Path) -> None:
    with source.open(newline="") as rows, output.open("w", newline="") as results:
        reader, writer = csv.reader(rows), csv.writer(results, lineterminator="\n")
        names = next(reader)
        writer.writerow([*names, "country"])
        for row in reader:
            record = dict(zip(names, row, strict=True))
            record["country"] = "NZ"
            writer.writerow(record.values())


async def add_field(record: dict[str, Any]) -> dict[str, Any]:
    record["country"] = "NZ"
    return record


def add_field_plainly(record: dict[str, Any]) -> dict[str, Any]:
    record["country"] = "NZ"
    return record


def job(source: Path, output: Path) -> None:
    _run(source, output, add_field)


def job_in_threads(source: Path, output: Path) -> None:
    _run(source, output, add_field_plainly)


def job_in_processes(source: Path, output: Path) -> None:
    _run(source, output, add_field_plainly, engine="process", workers=2)


def _run(source: Path, output: Path, task: Any, **settings: Any) -> None:
    from batchmill import Job, run

    report = run(Job(source=source, task=task, sink=output, **settings))
    assert report.state == "completed", report


CONTENDERS = {
    "bare": bare,
    "bare, dicts": bare_with_dicts,
    "job": job,
    "job, engine=thread": job_in_threads,
    "job, engine=process": job_in_processes,
}


def measure(name: str, source: Path) -> None:
    """In a child: run one contender and print its figures. Imports are not part of the time."""
    import batchmill.api

    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        began = time.perf_counter()
        CONTENDERS[name](source, Path(folder) / "out.csv")
        print(json.dumps({"seconds": time.perf_counter() - began, "peak_mib": peak_mib()}))


def compare(rows: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.csv"
        make_rows(source, rows)
        print(f"{rows} rows of {source.stat().st_size / rows:.0f} bytes, {rounds} rounds")
        figures = alternate(
            rounds,
            {name: lambda name=name: child(__file__, "--child", name, source)
             for name in CONTENDERS},
        )  # fmt: skip
        for name, each in figures.items():
            rate = rows / median(each, "seconds")
            print(f"{name:20} {rate:10.0f} rows/s   ratio to bare "
                  f"{ratios(figures['bare'], each, 'seconds')}   peak "
                  f"{median(each, 'peak_mib'):.0f} MiB")  # fmt: skip


def memory() -> None:
    for rows in (100_000, 1_000_000, 3_000_000):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.csv"
            make_rows(source, rows)
            for name in ("job", "job, engine=process"):
                figures = child(__file__, "--child", name, source)
                print(f"{rows:9} rows, {name}: peak {figures['peak_mib']:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "SOURCE"))
    options = parser.parse_args()
    if options.child:
        measure(options.child[0], Path(options.child[1]))
    elif options.memory:
        memory()
    else:
        compare(options.rows, options.rounds)


if __name__ == "__main__":
    main()
