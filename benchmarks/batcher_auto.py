"""Is `max_queue_time="auto"` ever much worse than the best fixed setting?

    python benchmarks/batcher_auto.py [--jobs 2] [--all]

Sixty situations: six kinds of load, five costs of process_batch (F + v n seconds for n items) and
one or four slots, in virtual time, so that only waiting counts and every run gives the same
figures. Each is run with twelve fixed settings and with "auto". Shown is auto's mean latency and
99th percentile over those of the fixed setting that is best in that very situation, for the mean
and for the percentile on its own; the first fifth of the calls, in which it learns, is left out.
Without --all only what is more than 10 % worse is shown, and the worst of all.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from batchmill.flow.batcher import AsyncBatcher
from virtual_loop import run_virtually

Load = Callable[[AsyncBatcher[int, int]], Awaitable[list[float]]]
Figures = tuple[float, float]


class Costly(AsyncBatcher[int, int]):
    def __init__(self, fixed_s: float, item_s: float, **options: Any) -> None:
        super().__init__(max_batch_size=100, **options)
        self.fixed_s = fixed_s
        self.item_s = item_s

    async def process_batch(self, batch: list[int]) -> list[int]:
        await asyncio.sleep(self.fixed_s + self.item_s * len(batch))
        return batch


async def timed(batcher: AsyncBatcher[int, int], latencies: list[float]) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await batcher.process(1)
    latencies.append(loop.time() - started)


def poisson(per_s: float, calls: int, burst: int = 1) -> Load:
    async def load(batcher: AsyncBatcher[int, int]) -> list[float]:
        draw = random.Random(1)
        latencies: list[float] = []
        running = []
        for _ in range(calls // burst):
            running += [asyncio.create_task(timed(batcher, latencies)) for _ in range(burst)]
            await asyncio.sleep(draw.expovariate(per_s / burst))
        await asyncio.gather(*running)
        return latencies

    return load


def closed(callers: int, think_s: float, calls: int) -> Load:
    async def load(batcher: AsyncBatcher[int, int]) -> list[float]:
        draw = random.Random(1)
        latencies: list[float] = []

        async def caller() -> None:
            for _ in range(calls // callers):
                await asyncio.sleep(draw.expovariate(1 / think_s) if think_s else 0)
                await timed(batcher, latencies)

        await asyncio.gather(*[caller() for _ in range(callers)])
        return latencies

    return load


LOADS = {
    "200/s": poisson(200, 2_000),
    "2,000/s": poisson(2_000, 4_000),
    "5,000/s": poisson(5_000, 8_000),
    "2,000/s in bursts of 20": poisson(2_000, 40_000, 20),
    "50 callers, thinking 5 ms": closed(50, 0.005, 10_000),
    "50 callers": closed(50, 0, 1_000),
}
COSTS_S = [(0.0001, 0), (0.002, 0), (0.002, 0.0001), (0.02, 0.0001), (0, 0.0002)]
SLOTS = [1, 4]
FIXED = [
    {"max_queue_time": wait_s, "dispatch": dispatch}
    for wait_s, dispatch in product([0, 0.001, 0.002, 0.005, 0.01, 0.02], ["freed", "due"])
]
Situation = tuple[str, tuple[float, float], int]


def measure(situation: Situation, options: dict[str, Any]) -> Figures:
    load, (fixed_s, item_s), slots = situation

    async def run() -> list[float]:
        return await LOADS[load](Costly(fixed_s, item_s, concurrency=slots, **options))

    latencies = run_virtually(run())
    learned = sorted(latencies[len(latencies) // 5 :])
    return statistics.fmean(learned), learned[len(learned) * 99 // 100]


def compare(situation: Situation) -> tuple[Situation, Figures]:
    fixed = [measure(situation, options) for options in FIXED]
    mean_s, p99_s = measure(situation, {"max_queue_time": "auto"})
    best_mean_s, best_p99_s = (min(figures) for figures in zip(*fixed, strict=True))
    return situation, (mean_s / best_mean_s, p99_s / best_p99_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    worst_mean = worst_p99 = 0.0
    with ProcessPoolExecutor(options.jobs) as pool:
        for situation, (mean, p99) in pool.map(compare, product(LOADS, COSTS_S, SLOTS)):
            load, (fixed_s, item_s), slots = situation
            worst_mean, worst_p99 = max(mean, worst_mean), max(p99, worst_p99)
            if options.all or max(mean, p99) > 1.1:
                cost = f"F {fixed_s * 1e3:g} ms, v {item_s * 1e3:g} ms, {slots} slots"
                print(f"{load:26} {cost:32} mean {mean:.2f}  p99 {p99:.2f}", flush=True)
    print(f"worst: mean {worst_mean:.2f}  p99 {worst_p99:.2f}")


if __name__ == "__main__":
    main()
