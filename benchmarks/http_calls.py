"""How close does a job that calls a server come to a bare loop of aiohttp workers?

    python benchmarks/http_calls.py [--calls 20000] [--rounds 3]

A local server, in a process of its own, answers every call after 20 ms. The bare loop is as many
workers as there are slots, which share one iterator over the same JSON lines, call, and write a
line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import alternate, child, make_lines, median, peak_mib, ratios

ANSWER_AFTER_S = 0.020


async def serve() -> None:
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(ANSWER_AFTER_S)
        return web.Response(body=b'{"country":"NZ"}', content_type="application/json")

    application = web.Application()
    application.router.add_get("/{ip}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def call(session: Any, port: int, record: dict[str, Any]) -> dict[str, Any]:
    async with session.get(f"http://127.0.0.1:{port}/{record['ip']}") as response:
        response.raise_for_status()
        record["country"] = (await response.json())["country"]
    return record


def bare(source: Path, output: Path, port: int, slots: int) -> None:
    import aiohttp
    import msgspec
    import orjson

    async def worker(session: aiohttp.ClientSession, lines: Any, results: Any) -> None:
        for line in lines:
            record = await call(session, port, msgspec.json.decode(line))
            results.write(orjson.dumps(record) + b"\n")

    async def loop() -> None:
        connector = aiohttp.TCPConnector(limit=slots)
        async with aiohttp.ClientSession(connector=connector) as session:
            with source.open("rb") as lines, output.open("wb") as results:
                await asyncio.gather(*(worker(session, lines, results) for _ in range(slots)))

    asyncio.run(loop())


def job(source: Path, output: Path, port: int, slots: int) -> None:
    from batchmill import Job, run

    async def task(record: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        return await call(context["session"], port, record)

    report = run(Job(source=source, task=task, sink=output, concurrency=slots))
    assert report.state == "completed" and not report.failed, report


def measure(name: str, source: Path, port: int, slots: int) -> None:
    import aiohttp
    import msgspec
    import orjson

    import batchmill.api

    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        began = time.perf_counter()
        {"bare": bare, "job": job}[name](source, Path(folder) / "out.jsonl", port, slots)
        print(json.dumps({"seconds": time.perf_counter() - began, "peak_mib": peak_mib()}))


def compare(calls: int, rounds: int) -> None:
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE)
    assert server.stdout
    port = int(server.stdout.readline())
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.jsonl"
            make_lines(source, calls)
            for slots in (100, 500):
                figures = alternate(
                    rounds,
                    {name: lambda name=name: child(__file__, "--child", name, source, port, slots)
                     for name in ("bare", "job")},
                )  # fmt: skip
                for name, each in figures.items():
                    print(f"concurrency {slots}: {name:5} {calls / median(each, 'seconds'):6.0f} "
                          f"calls/s   ratio to bare {ratios(figures['bare'], each, 'seconds')}   "
                          f"peak {median(each, 'peak_mib'):.0f} MiB")  # fmt: skip
    finally:
        server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--child", nargs=4, metavar=("NAME", "SOURCE", "PORT", "SLOTS"))
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
    elif options.child:
        name, source, port, slots = options.child
        measure(name, Path(source), int(port), int(slots))
    else:
        compare(options.calls, options.rounds)


if __name__ == "__main__":
    main()
