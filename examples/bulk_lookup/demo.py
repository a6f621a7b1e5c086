"""Run the job against the service, and show how many requests it took.

python demo.py [number of records]
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import task
from server import PriceServer

import batchmill

UNKNOWN, REFUSED = "a-5000", "article 5"


def orders(count: int) -> list[dict[str, object]]:
    """Orders of 1,000 articles, one of an article that is unknown, and one that is misspelled."""
    rows: list[dict[str, object]] = [
        {"id": n, "article": f"a-{n * 37 % 1_000}"} for n in range(count)
    ]
    rows[count // 3]["article"] = UNKNOWN
    rows[count // 2]["article"] = REFUSED
    return rows


async def main(count: int) -> None:
    server = PriceServer()
    with tempfile.TemporaryDirectory() as folder:
        source, sink = Path(folder, "orders.jsonl"), Path(folder, "priced.jsonl")
        source.write_text("".join(f"{json.dumps(row)}\n" for row in orders(count)))
        job = batchmill.Job(source=source, task=task, sink=sink, key="id", concurrency=400,
                            retry=batchmill.Retry(max_attempts=5, wait_min_s=0.05))  # fmt: skip
        async with server.running() as os.environ["PRICES_URL"]:
            report = await batchmill.arun(job)
        for line in sink.with_name("priced.errors.jsonl").read_text().splitlines():
            letter = json.loads(line)
            print(f"dead letter: {letter['record']}: {letter['error']['message']}")
    requests = len(server.sizes)
    print(f"{report.state}: {count:,} records by {requests:,} requests, that is")
    print(f"{count / requests:.0f} records a request, and {max(server.sizes)} at most")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
