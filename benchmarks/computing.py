"""How well are all cores used? Rows that compute, in two processes, against a serial loop.

    python benchmarks/computing.py [--seconds 20] [--peers]    rows of 2 ms and of 17 microseconds
    python benchmarks/computing.py --noop [--lines 1000000]    rows that cost nothing

The serial loop is `[f(x) for x in items]` in memory, and `write(dumps(f(loads(line))))` for files.
Ours is `batchmill.map` in memory, and a whole job (ledger, fsync, commits, retries, progress) for
files. Peers get the items in memory, with the size of chunk that suits them best. Starting the
processes is part of the time. `--peers` needs requirements/bench.txt.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import alternate, child, make_lines, median, ratios

WORKERS = 2


def compute(rounds: int) -> int:
    """Some arithmetic; a round is about 40 ns."""
    total = 0
    for n in range(rounds):
        total += n * n % 7
    return total


def process_record(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": record["id"], "sum": compute(record["rounds"])}


def add_field(record: dict[str, Any]) -> dict[str, Any]:
    record["country"] = "NZ"
    return record


async def add_field_async(record: dict[str, Any]) -> dict[str, Any]:
    record["country"] = "NZ"
    return record


def rounds_for(seconds: float) -> int:
    """How many rounds take so long on this machine, by its better moments."""
    tries = []
    for _ in range(20):
        began = time.perf_counter()
        compute(20_000)
        tries.append(time.perf_counter() - began)
    return max(1, int(20_000 * seconds / min(tries)))


def in_memory_serial(rounds: int, count: int) -> None:
    assert len([compute(each) for each in [rounds] * count]) == count


def in_memory_ours(rounds: int, count: int) -> None:
    import batchmill

    done = batchmill.map(compute, [rounds] * count, engine="process", workers=WORKERS)
    assert sum(1 for _ in done) == count


def in_memory_run(rounds: int, count: int) -> None:
    from batchmill import Job, run

    report = run(Job(source=[rounds] * count, task=compute, engine="process", workers=WORKERS))
    assert report.succeeded == count, report


def with_executor(chunk: int, rounds: int, count: int) -> None:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(WORKERS) as pool:
        assert len(list(pool.map(compute, [rounds] * count, chunksize=chunk))) == count


def with_joblib(rounds: int, count: int) -> None:
    from joblib import Parallel, delayed

    assert len(Parallel(WORKERS)(delayed(compute)(rounds) for _ in range(count))) == count


def with_mpire(rounds: int, count: int) -> None:
    from mpire import WorkerPool

    with WorkerPool(WORKERS) as pool:
        assert len(pool.map(compute, [rounds] * count)) == count


def file_serial(source: Path, output: Path) -> None:
    import msgspec
    import orjson

    loads, dumps = msgspec.json.Decoder().decode, orjson.dumps
    with source.open("rb") as lines, output.open("wb") as results:
        for line in lines:
            results.write(dumps(process_record(loads(line))) + b"\n")


def file_ours(source: Path, output: Path) -> None:
    _job(source, output, process_record, engine="process", workers=WORKERS)


def noop_in_process(source: Path, output: Path) -> None:
    _job(source, output, add_field_async, engine="async")


def noop_in_processes(source: Path, output: Path) -> None:
    _job(source, output, add_field, engine="process", workers=WORKERS)


def _job(source: Path, output: Path, task: Callable[..., Any], **settings: Any) -> None:
    from batchmill import Job, run

    report = run(Job(source=source, task=task, sink=output, **settings))
    assert report.state == "completed", report


IN_MEMORY = {"serial": in_memory_serial, "map": in_memory_ours, "run": in_memory_run}
PEERS = {
    "executor, 10": functools.partial(with_executor, 10),
    "executor, 1000": functools.partial(with_executor, 1000),
    "joblib": with_joblib,
    "mpire": with_mpire,
}
FILES = {"serial, files": file_serial, "job, files": file_ours}
NOOP = {"async": noop_in_process, "process": noop_in_processes}


def measure(name: str, *arguments: str) -> None:
    """In a child: run one contender and print its figures. Imports are not part of the time."""
    import msgspec
    import orjson

    import batchmill.api
    import batchmill.mapping

    began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    if name in IN_MEMORY or name in PEERS:
        (IN_MEMORY | PEERS)[name](*map(int, arguments))
    else:
        with tempfile.TemporaryDirectory(dir=Path(arguments[0]).parent) as folder:
            (FILES | NOOP)[name](Path(arguments[0]), Path(folder) / "out.jsonl")
    now = resource.getrusage(resource.RUSAGE_SELF)
    used = now.ru_utime + now.ru_stime - cpu.ru_utime - cpu.ru_stime
    print(json.dumps({"seconds": time.perf_counter() - began, "driver_s": used}))


def compare(seconds: float, lasting_s: float, rounds: int, names: list[str]) -> None:
    size, count = rounds_for(seconds), max(1, int(lasting_s / seconds))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        with source.open("w") as file:
            for n in range(count):
                file.write(json.dumps({"id": n, "rounds": size}) + "\n")
        figures = alternate(rounds, {
            name: lambda name=name: child(__file__, "--child", name,
                                          *((source,) if name in FILES else (size, count)))
            for name in names
        })  # fmt: skip
    serial = median(figures["serial"], "seconds") / count
    print(f"{count} rows of {serial * 1e6:.0f} microseconds, {WORKERS} processes, {rounds} rounds")
    for name, each in figures.items():
        reference = figures["serial, files" if name in FILES else "serial"]
        print(f"  {name:16} speed-up {ratios(reference, each, 'seconds')}   driver "
              f"{median(each, 'driver_s') / count * 1e6:6.2f} us a row")  # fmt: skip


def compare_noop(lines: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        make_lines(source, lines)
        figures = alternate(rounds, {
            name: lambda name=name: child(__file__, "--child", name, source) for name in NOOP
        })  # fmt: skip
    print(f"{lines} lines that cost nothing, {rounds} rounds")
    for name, each in figures.items():
        driver = statistics.median(figure["driver_s"] for figure in each) / lines * 1e6
        print(f"  {name:16} ratio to the async engine {ratios(figures['async'], each, 'seconds')}"
              f"   driver {driver:.2f} us a record")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the serial loop, about")
    parser.add_argument("--noop", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--child", nargs="+", metavar="NAME")
    options = parser.parse_args()
    if options.child:
        measure(*options.child)
    elif options.noop:
        compare_noop(options.lines, options.rounds)
    else:
        names = [*IN_MEMORY, *FILES, *(PEERS if options.peers else ())]
        for seconds in (2e-3, 17e-6):
            compare(seconds, options.seconds, options.rounds, names)


if __name__ == "__main__":
    main()
