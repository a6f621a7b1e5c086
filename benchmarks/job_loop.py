"""How fast is a job compared with a bare loop, and how much memory does it take?

    python benchmarks/job_loop.py [--lines 1000000] [--rounds 5]
    python benchmarks/job_loop.py --memory

The bare loop is `for line: write(dumps(await f(loads(line))))`, with the same JSON libraries, on
the same lines of about 165 bytes; `f` is a coroutine that adds one field. The job has all on:
ledger, fsync, commits every 0.5 s or 4 MB, retries armed, progress, latency.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from common import alternate, child, make_lines, median, peak_mib, ratios


async def add_field(record: dict[str, Any]) -> dict[str, Any]:
    record["country"] = "NZ"
    return record


def bare(source: Path, output: Path) -> None:
    import msgspec
    import orjson

    async def loop() -> None:
        loads, dumps = msgspec.json.Decoder().decode, orjson.dumps
        with source.open("rb") as lines, output.open("wb") as results:
            for line in lines:
                results.write(dumps(await add_field(loads(line))) + b"\n")

    asyncio.run(loop())


class Quiet:
    """An observer that listens and says nothing."""

    def on_event(self, event: object) -> None:
        self.last = event


def job(source: Path, output: Path, **more: Any) -> None:
    from batchmill import Job, run

    report = run(Job(source=source, task=add_field, sink=output, **more), observers=[Quiet()])
    assert report.state == "completed", report


def add_field_plainly(record: dict[str, Any]) -> dict[str, Any]:
    record["country"] = "NZ"
    return record


def job_in_threads(source: Path, output: Path) -> None:
    from batchmill import Job, run

    report = run(Job(source=source, task=add_field_plainly, sink=output))
    assert report.state == "completed", report


CONTENDERS = {
    "bare": bare,
    "job": job,
    "job, keyed": lambda source, output: job(source, output, key="id"),
    "job, order=input": lambda source, output: job(source, output, order="input"),
    "job, timeout": lambda source, output: job(source, output, timeout_s=30.0),
    "job, engine=thread": job_in_threads,
}


def measure(name: str, source: Path) -> None:
    """In a child: run one contender and print its figures. Imports are not part of the time."""
    import msgspec
    import orjson

    import batchmill.api

    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        began = time.perf_counter()
        CONTENDERS[name](source, Path(folder) / "out.jsonl")
        print(json.dumps({"seconds": time.perf_counter() - began, "peak_mib": peak_mib()}))


def compare(lines: int, rounds: int, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        make_lines(source, lines)
        size = source.stat().st_size / lines
        print(f"{lines} lines of {size:.0f} bytes, {rounds} rounds")
        figures = alternate(
            rounds, {name: lambda name=name: child(__file__, "--child", name, source)
                     for name in names}
        )  # fmt: skip
        for name, each in figures.items():
            rate = lines / median(each, "seconds")
            print(f"{name:20} {rate:10.0f} records/s   ratio to bare "
                  f"{ratios(figures['bare'], each, 'seconds')}   peak "
                  f"{median(each, 'peak_mib'):.0f} MiB")  # fmt: skip


def memory() -> None:
    for lines in (100_000, 1_000_000, 3_000_000):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.jsonl"
            make_lines(source, lines)
            figures = child(__file__, "--child", "job", source)
            print(f"{lines:9} lines: peak {figures['peak_mib']:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--all", action="store_true", help="the other settings, too")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "SOURCE"))
    options = parser.parse_args()
    if options.child:
        measure(options.child[0], Path(options.child[1]))
    elif options.memory:
        memory()
    else:
        compare(options.lines, options.rounds, list(CONTENDERS) if options.all else ["bare", "job"])


if __name__ == "__main__":
    main()
