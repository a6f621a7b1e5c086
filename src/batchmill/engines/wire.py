"""What do the driver and a worker process say to each other?

Frames of MessagePack over pipes that nobody else can reach: records and rows travel as bytes, so
neither side parses what it does not need. Only what sets a worker up, and items and results that
never were bytes, are pickled.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

import cloudpickle
import msgspec

from ..records import Failure, Limit, Sign

Told = tuple[str, str, str, tuple[str, ...], int | None, float | None, Limit, tuple[Sign, ...]]
"""A failure without the exception, which may not be able to travel."""

LENGTH = 4
"""Bytes of a frame's length."""


class Portion(msgspec.Struct, array_like=True, tag="portion"):
    """To a worker: records for one of its lanes."""

    lane: int
    seqs: list[int]
    raws: list[bytes] | bytes
    """A pickled list of them where they are no bytes."""
    attempts: dict[int, int]
    """Of the records that have been tried before."""
    columns: tuple[str, ...] | None = None


class Close(msgspec.Struct, array_like=True, tag="close"):
    """To a worker: give up what is being called, shut down, and end."""


class Ready(msgspec.Struct, array_like=True, tag="ready"):
    """From a worker: the task has been started up."""


class Refused(msgspec.Struct, array_like=True, tag="refused"):
    """From a worker: the task cannot be loaded, started up or shut down."""

    kind: str
    message: str
    hint: str | None


class Done(msgspec.Struct, array_like=True, tag="done"):
    """From a worker: what has become of a portion. What it does not name was not called."""

    lane: int
    lasted_s: float
    seqs: list[int]
    rows: list[bytes] | bytes
    """A pickled list of them where they are no bytes."""
    filtered: list[int]
    blank: list[int]
    latencies: list[float]
    failed: list[tuple[int, Told, int, int]]
    """Each with how many of `seqs` and of `filtered` ended before it."""
    given_back: list[int]
    whole: Told | None = None
    """Why a call for several records failed;"""
    called: list[int] = []
    """and for which."""
    columns: tuple[str, ...] | None = None


class Ended(msgspec.Struct, array_like=True, tag="ended"):
    """From a worker: the task has been shut down."""


_encoder = msgspec.msgpack.Encoder()
_to_worker = msgspec.msgpack.Decoder(Portion | Close)
_from_worker = msgspec.msgpack.Decoder(Ready | Refused | Done | Ended)


def frame(message: msgspec.Struct) -> bytearray:
    """A message with its length in front."""
    buffer = bytearray(LENGTH)
    _encoder.encode_into(message, buffer, LENGTH)
    buffer[:LENGTH] = (len(buffer) - LENGTH).to_bytes(LENGTH, "big")
    return buffer


class Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self, decode: Callable[[memoryview], Any]) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are complete with `data`."""
        buffer = self._buffer
        buffer += data
        messages: list[Any] = []
        start = 0
        while len(buffer) - start >= LENGTH:
            body = start + LENGTH
            end = body + int.from_bytes(buffer[start:body], "big")
            if len(buffer) < end:
                break
            with memoryview(buffer) as view, view[body:end] as message:
                messages.append(self._decode(message))
            start = end
        del buffer[:start]
        return messages


def to_worker() -> Frames:
    return Frames(_to_worker.decode)


def from_worker() -> Frames:
    return Frames(_from_worker.decode)


def read_blob(stream: BinaryIO) -> bytes:
    """The one frame that is no message: what sets a worker up."""
    return stream.read(int.from_bytes(stream.read(LENGTH), "big"))


def blob(body: bytes) -> bytes:
    return len(body).to_bytes(LENGTH, "big") + body


def told(failure: Failure) -> Told:
    return failure[:8]


class _ByValue(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles the classes and functions of a script as what they are made of."""

    def reducer_override(self, value: Any) -> Any:
        reduced = super().reducer_override(value)
        if isinstance(value, type) and isinstance(reduced, tuple) and len(reduced) > 2:
            # What msgspec notes on a class that it has decoded cannot travel, and is noted again.
            reduced[2][0].pop("__msgspec_cache__", None)
        return reduced


def by_value(value: Any) -> bytes:
    """Pickled, with all that only the driver's own script defines."""
    with io.BytesIO() as file:
        _ByValue(file).dump(value)
        return file.getvalue()


def dumps(value: Any) -> bytes:
    """Pickled by name where that works, and by value for what is defined in a script."""
    try:
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return by_value(value)
    # The script of the driver is not that of a worker: what is found in it by name is not there.
    return by_value(value) if b"__main__" in pickled else pickled


def unpacked(values: list[bytes] | bytes) -> list[Any]:
    """Records or rows as they were before they travelled."""
    if isinstance(values, list):
        return values
    found: list[Any] = pickle.loads(values)  # noqa: S301 - from one's own pipe
    return found
