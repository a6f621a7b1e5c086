"""How many requests a second does the service bear?

    python load.py [none] [async-batcher] [batchmill] [batchmill-auto]
                   [--seconds 2] [--rounds 3] [--p99-ms 100]

closed    so many callers at a time, who ask again as soon as they are answered: throughput
poisson   arrivals at random, at a rate that is raised as long as 99 of 100 answers come within the
          limit: the highest rate for which they do, which is what a service is built for

For each way the service is a process of its own; the load is another. The ways take turns at every
load; figures are medians of the rounds.
"""

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from client import Pool, requests_for

WAYS = ("none", "async-batcher", "batchmill", "batchmill-auto")
CALLERS = (1, 16, 64, 256)
START_PER_S = 64.0
STEP = 1.25
MISSES = 3
LAG_S = 1.0


class Seen(NamedTuple):
    """What one load saw."""

    per_s: float
    p50_ms: float
    p99_ms: float


Round = dict[tuple[str, str], Seen]
"""What was seen by load and way."""


def seen(latencies_s: list[float], duration_s: float) -> Seen:
    cuts = statistics.quantiles(latencies_s, n=100)
    return Seen(len(latencies_s) / duration_s, cuts[49] * 1e3, cuts[98] * 1e3)


@contextmanager
def service(way: str) -> Iterator[str]:
    """The address of a running service, which ends with the block."""
    command = [sys.executable, str(Path(__file__).with_name("service.py")), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def closed(url: str, callers: int, seconds: float) -> Seen:
    """What `callers` see who ask all the time."""
    pool, requests, latencies = Pool(url), requests_for(url), list[float]()
    end = time.perf_counter() + seconds

    async def call(number: int) -> None:
        while (began := time.perf_counter()) < end:
            await pool.ask(requests[number % len(requests)])
            latencies.append(time.perf_counter() - began)
            number += callers

    await asyncio.gather(*map(call, range(callers)))
    pool.close()
    return seen(latencies, seconds)


async def poisson(url: str, per_s: float, seconds: float) -> Seen:
    """What callers see who come at random, on average `per_s` a second, and never wait for each
    other. Latency counts from when the caller was due, so a late load script is no excuse."""
    pool, requests, latencies = Pool(url), requests_for(url), list[float]()
    chance, due, number = random.Random(1), time.perf_counter(), 0
    end, calls = due + seconds, set[asyncio.Task[None]]()

    async def call(request: bytes, due: float) -> None:
        await pool.ask(request)
        latencies.append(time.perf_counter() - due)

    while (due := due + chance.expovariate(per_s)) < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if time.perf_counter() - due > LAG_S:
            break
        calls.add(task := asyncio.create_task(call(requests[number % len(requests)], due)))
        task.add_done_callback(calls.discard)
        number += 1
    await asyncio.gather(*calls)
    pool.close()
    return seen(latencies, seconds)


async def closed_loops(urls: dict[str, str], seconds: float) -> Round:
    """What is seen of each way with so many callers; the ways take turns."""
    results: Round = {}
    for callers in CALLERS:
        for way, url in urls.items():
            results[f"closed, {callers} callers", way] = await closed(url, callers, seconds)
    return results


async def highest_rates(urls: dict[str, str], p99_ms: float, seconds: float) -> Round:
    """What is seen of each way at the highest rate at which it keeps the limit.

    A way is out after MISSES rates running that it does not keep it at: one alone may be the fault
    of whatever else the machine did.
    """
    best = dict.fromkeys(urls, Seen(0.0, 0.0, 0.0))
    misses, rate = dict.fromkeys(urls, 0), START_PER_S
    while running := [way for way in urls if misses[way] < MISSES]:
        for way in running:
            result = await poisson(urls[way], rate, seconds)
            if result.p99_ms <= p99_ms:
                best[way], misses[way] = result, 0
            else:
                misses[way] += 1
        rate *= STEP
    return {(f"poisson, p99 <= {p99_ms:g} ms", way): result for way, result in best.items()}


async def measure(urls: dict[str, str], seconds: float, p99_ms: float) -> Round:
    for url in urls.values():
        await closed(url, 8, 1.0)
    rates = await highest_rates(urls, p99_ms, seconds)
    return await closed_loops(urls, seconds) | rates


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ways", nargs="*", default=WAYS, metavar="way", help=", ".join(WAYS))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--p99-ms", type=float, default=100.0)
    options = parser.parse_args()
    with ExitStack() as services:
        urls = {way: services.enter_context(service(way)) for way in options.ways}
        show([asyncio.run(measure(urls, options.seconds, options.p99_ms))
              for _ in range(options.rounds)])  # fmt: skip


def show(rounds: list[Round]) -> None:
    print(f"{'':<24}{'':<16}{'per s':>8}{'p50 ms':>9}{'p99 ms':>9}")
    for load, way in rounds[0]:
        columns = zip(*(results[load, way] for results in rounds), strict=True)
        per_s, p50, p99 = map(statistics.median, columns)
        print(f"{load:<24}{way:<16}{per_s:>8,.0f}{p50:>9.1f}{p99:>9.1f}")


if __name__ == "__main__":
    main()
