"""What is context["session"]? Imported only when a task first asks for it."""

from __future__ import annotations

from urllib.request import getproxies

import aiohttp


def open_session(concurrency: int) -> aiohttp.ClientSession:
    """A session that lets a job be as it is set up. To be made while the event loop runs.

    It has as many connections as there are calls at a time (aiohttp's own limit of 100 would hold
    back a job of higher concurrency); no time limit for a whole request, which `timeout_s` is, but
    aiohttp's 30 s for a connection to be made; no cookies, which would travel from one record to
    the next; and the proxies that the environment names, if it does.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=bool(getproxies()),
    )
