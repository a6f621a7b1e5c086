"""What does a batcher cost a caller, next to a bare future and to other batchers?

    pip install async-batcher==0.2.2 batched==0.1.5 uvloop        # all three are optional
    python benchmarks/batchers.py [closed] [gather] [poisson] [--rounds 9] [--uvloop]

closed   1,000 callers who call again as soon as they are answered; batches of up to 100; a
         process_batch that does nothing
gather   100,000 callers at once; the same otherwise
poisson  arrivals at 5,000 a second, at most 5 ms of waiting, 2 ms of service; the latency that was
         added to the service, from the call to the answer, and the processor time of it all

The floor ("bare future") is a coroutine for each call that awaits one future, which one callback
resolves together with 99 others: what a batcher costs that does nothing else. "inline" leaves out
the coroutine as well. "load alone" calls nothing. Contenders take turns in one process, with
garbage collected in between; figures are medians, ratios are of each round to the floor of the
same round. The machine may be busy: trust the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import random
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from batchmill.flow.batcher import AsyncBatcher

BATCH = 100
WAIT_S = 0.005
SERVICE_S = 0.002
CALLERS = 1_000
CALLS_EACH = 30
CROWD = 100_000
ARRIVALS_PER_S = 5_000
ARRIVING_S = 2.0

Call = Callable[[int], Awaitable[Any]]
Contenders = dict[str, Callable[[float], Any]]
"""For each name a context manager that takes seconds of service and gives what is called."""


class Bare:
    """A future for each call; one callback a turn of the loop resolves up to 100 of them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.open: list[asyncio.Future[Any]] = []
        self.full: deque[list[asyncio.Future[Any]]] = deque()

    def resolve(self) -> None:
        for future in self.full.popleft():
            future.set_result(None)
        if self.full:
            self.loop.call_soon(self.resolve)

    async def call(self, _: int) -> Any:
        future = self.loop.create_future()
        self.open.append(future)
        if len(self.open) >= BATCH:
            if not self.full:
                self.loop.call_soon(self.resolve)
            self.full.append(self.open)
            self.open = []
        return await future


@asynccontextmanager
async def bare(service_s: float) -> Any:
    async def alone(_: int) -> None:
        await asyncio.sleep(service_s)

    yield alone if service_s else Bare().call


@asynccontextmanager
async def nothing(_: float) -> Any:
    async def call(_: int) -> None:
        pass

    yield call


def served(service_s: float) -> Callable[[list[int]], Awaitable[list[int]]]:
    async def process_batch(batch: list[int]) -> list[int]:
        if service_s:
            await asyncio.sleep(service_s)
        return batch

    return process_batch


def ours(method: str, **options: Any) -> Callable[[float], Any]:
    @asynccontextmanager
    async def contender(service_s: float) -> Any:
        class Ours(AsyncBatcher[int, int]):
            process_batch = staticmethod(served(service_s))

        async with Ours(max_batch_size=BATCH, max_queue_time=WAIT_S, **options) as batcher:
            yield getattr(batcher, method)

    return contender


@asynccontextmanager
async def async_batcher(service_s: float) -> Any:
    from async_batcher.batcher import AsyncBatcher as Theirs

    serve = served(service_s)

    class Batcher(Theirs):
        async def process_batch(self, batch: list[int]) -> list[int]:
            return await serve(batch)

    batcher = Batcher(max_batch_size=BATCH, max_queue_time=WAIT_S)
    yield batcher.process
    await batcher.stop(force=True)


@asynccontextmanager
async def batched(service_s: float) -> Any:
    from batched.aio import AsyncBatchProcessor

    processor = AsyncBatchProcessor(served(service_s), batch_size=BATCH, timeout_ms=WAIT_S * 1e3)
    yield processor
    processor.__del__()  # its only way to stop


def contenders(workload: str) -> Contenders:
    """Those who are installed."""
    known: Contenders = {"bare future": bare, "process": ours("process")}
    if workload == "poisson":
        known["load alone"] = nothing
        known["process due"] = ours("process", dispatch="due")
        known["process idle"] = ours("process", dispatch="idle")
    known["submit"] = ours("submit")
    if importlib.util.find_spec("async_batcher"):
        known["async-batcher"] = async_batcher
    if importlib.util.find_spec("batched"):
        known["batched"] = batched
    return known


async def closed(call: Call) -> dict[str, float]:
    async def caller() -> None:
        for n in range(CALLS_EACH):
            await call(n)

    started = time.perf_counter()
    await asyncio.gather(*[caller() for _ in range(CALLERS)])
    return {"us": (time.perf_counter() - started) / CALLERS / CALLS_EACH * 1e6}


async def inline() -> dict[str, float]:
    """The floor without a coroutine for each call."""
    bare = Bare()
    create, waiting = bare.loop.create_future, bare.open

    def resolve(futures: list[asyncio.Future[Any]]) -> None:
        for future in futures:
            future.set_result(None)

    async def caller() -> None:
        nonlocal waiting
        for _ in range(CALLS_EACH):
            future = create()
            waiting.append(future)
            if len(waiting) >= BATCH:
                bare.loop.call_soon(resolve, waiting)
                waiting = []
            await future

    started = time.perf_counter()
    await asyncio.gather(*[caller() for _ in range(CALLERS)])
    return {"us": (time.perf_counter() - started) / CALLERS / CALLS_EACH * 1e6}


async def gather(call: Call) -> dict[str, float]:
    started = time.perf_counter()
    await asyncio.gather(*[call(n) for n in range(CROWD)])
    return {"us": (time.perf_counter() - started) / CROWD * 1e6}


async def poisson(call: Call) -> dict[str, float]:
    draw = random.Random(1)
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    callers: set[asyncio.Task[None]] = set()

    async def caller(n: int) -> None:
        started = time.perf_counter()
        await call(n)
        latencies.append(time.perf_counter() - started - SERVICE_S)

    used_s, started = time.process_time(), time.perf_counter()
    due = started
    while due < started + ARRIVING_S:
        while due <= time.perf_counter():
            task = loop.create_task(caller(len(callers)))
            callers.add(task)
            task.add_done_callback(callers.discard)
            due += draw.expovariate(ARRIVALS_PER_S)
        await asyncio.sleep(max(0.001, due - time.perf_counter()))  # uvloop spins on less
    await asyncio.gather(*callers)
    took_s = time.perf_counter() - started
    latencies.sort()
    return {
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
        "cpu_pct": 100 * (time.process_time() - used_s) / took_s,
    }


WORKLOADS = {"closed": closed, "gather": gather, "poisson": poisson}


async def one(workload: str, contender: Callable[[float], Any]) -> dict[str, float]:
    gc.collect()
    async with contender(SERVICE_S if workload == "poisson" else 0) as call:
        figures: dict[str, float] = await WORKLOADS[workload](call)
    return figures


def show(workload: str, rounds: int, run: Callable[[Any], dict[str, float]]) -> None:
    figures: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for name, contender in contenders(workload).items():
            figures.setdefault(name, []).append(run(one(workload, contender)))
        if workload == "closed":
            figures.setdefault("inline", []).append(run(inline()))
    floor = figures["bare future"]
    for name, each in figures.items():
        line = f"{workload:8} {name:14}"
        for figure in each[0]:
            line += f"  {figure} {statistics.median(f[figure] for f in each):7.2f}"
        if workload != "poisson":
            ratio = statistics.median(a["us"] / b["us"] for a, b in zip(floor, each, strict=True))
            line += f"  ratio {ratio:.3f}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), metavar="workload")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    run: Callable[[Any], Any] = asyncio.run
    if options.uvloop:
        import uvloop

        run = uvloop.run
    for workload in options.workloads:
        show(workload, options.rounds, run)


if __name__ == "__main__":
    main()
