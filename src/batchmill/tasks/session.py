"""What is context["session"]? Imported only when a task first asks for it."""

from __future__ import annotations

import aiohttp


def open_session(concurrency: int) -> aiohttp.ClientSession:
    """A session with as many connections as there are calls at a time; aiohttp's own limit of 100
    would hold back a job of higher concurrency. To be made while the event loop runs."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency))
