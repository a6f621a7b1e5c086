"""A local service that answers as ip-api.com does, with the troubles of a real one.

    python server.py [--port 8080] [--limit 1200] [--window-s 4]

Prints its address when it is ready. `/json/{ip}` answers from a real GeoIP database; beyond the
rate limit it says 429 with `Retry-After`; some addresses fail at first, some are slow. `/stats`
tells how often it was called and what it said, `/stats/ips` the same for each address.
"""

import argparse
import asyncio
import math
import signal
import time
from collections import Counter, defaultdict
from email.utils import formatdate

from aiohttp import web
from geo import GeoDatabase
from troubles import RateWindow, delay_s, failures

REFUSALS = (500, 503)


class GeoService:
    """The handlers and what they remember: the rate window, and each answer given."""

    def __init__(self, window: RateWindow) -> None:
        self._database = GeoDatabase()
        self._window = window
        self._answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._totals: Counter[str] = Counter()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/json/{ip}", self.locate)
        app.router.add_get("/stats", self.stats)
        app.router.add_get("/stats/ips", self.stats_by_ip)
        return app

    async def locate(self, request: web.Request) -> web.Response:
        ip = request.match_info["ip"]
        wait_s = self._window.take(time.monotonic())
        if wait_s:
            self._note(ip, "rate_limited")
            return self._too_many(wait_s)
        await asyncio.sleep(delay_s(ip))
        failed = self._answers[ip]["error"]
        if failed < failures(ip):
            self._note(ip, "error")
            return web.json_response({"message": "try again"}, status=REFUSALS[failed % 2])
        answer = self._database.answer(ip)
        self._note(ip, answer["status"])
        return web.json_response(answer)

    async def stats(self, _: web.Request) -> web.Response:
        return web.json_response({"calls": self._totals.total(), **self._totals})

    async def stats_by_ip(self, _: web.Request) -> web.Response:
        return web.json_response(self._answers)

    def _note(self, ip: str, answer: str) -> None:
        self._answers[ip][answer] += 1
        self._totals[answer] += 1

    def _too_many(self, wait_s: float) -> web.Response:
        """Says when to come back, in seconds and as a date by turns; both are in use out there."""
        retry_after = str(math.ceil(wait_s))
        if self._totals["rate_limited"] % 2 == 0:
            retry_after = formatdate(math.ceil(time.time() + wait_s), usegmt=True)
        return web.json_response(
            {"message": "too many requests"}, status=429, headers={"Retry-After": retry_after}
        )


async def serve(port: int, window: RateWindow) -> None:
    runner = web.AppRunner(GeoService(window).application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        host, bound = runner.addresses[0][:2]
        print(f"http://{host}:{bound}", flush=True)
        await _until_signalled()
    finally:
        await runner.cleanup()


async def _until_signalled() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A local stand-in for ip-api.com.")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--limit", type=int, default=1_200, help="calls per window")
    parser.add_argument("--window-s", type=float, default=4.0, help="length of the window")
    options = parser.parse_args()
    asyncio.run(serve(options.port, RateWindow(options.limit, options.window_s)))


if __name__ == "__main__":
    main()
