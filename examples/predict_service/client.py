"""An HTTP client that costs next to nothing, so that the load script is not what is measured.

Connections are kept alive; one request at a time on each.
"""

import asyncio
import random
from collections import deque
from urllib.parse import urlsplit

import orjson
from sklearn.datasets import load_digits  # type: ignore[import-untyped]


def requests_for(url: str) -> list[bytes]:
    """A request for each row of the data, ready to be sent."""
    rows, _ = load_digits(return_X_y=True)
    head = f"POST / HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Length: "
    bodies = [orjson.dumps(row.tolist()) for row in rows]
    random.Random(0).shuffle(bodies)
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


class Connection(asyncio.Protocol):
    """One connection; `ask` gives the body of the answer."""

    def __init__(self) -> None:
        self.received = b""
        self.answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length and self.answer is not None and not self.answer.done():
            self.received = b""
            if head.startswith(b"HTTP/1.1 200"):
                self.answer.set_result(body)
            else:
                self.answer.set_exception(RuntimeError(head.decode()))

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error or ConnectionError("the service hung up"))

    async def ask(self, request: bytes) -> bytes:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer


class Pool:
    """Connections to a service: as many as there were requests at a time."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self.host, self.port = place.hostname or "", place.port or 80
        self.free: deque[Connection] = deque()
        self.open: list[Connection] = []

    async def ask(self, request: bytes) -> bytes:
        connection = self.free.pop() if self.free else await self._connect()
        body = await connection.ask(request)
        self.free.append(connection)
        return body

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self.host, self.port)
        self.open.append(connection)
        return connection

    def close(self) -> None:
        for connection in self.open:
            connection.transport.close()
