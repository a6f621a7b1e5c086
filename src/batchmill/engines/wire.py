"""What do the driver and a worker process say to each other?

Frames of MessagePack over pipes that nobody else can reach: records and rows travel as bytes, so
neither side parses what it does not need. Only what sets a worker up, and items and results that
never were bytes, are pickled.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

import cloudpickle
import msgspec

from ..errors import UnencodableResult
from ..protocols import Codec
from ..records import Failure

Told = tuple[str, str, str, tuple[str, ...], int | None, float | None]
"""A failure without the exception, which may not be able to travel."""

LENGTH = 4
"""Bytes of a frame's length."""


class Portion(msgspec.Struct, array_like=True, tag="portion"):
    """To a worker: records for one of its lanes."""

    lane: int
    seqs: list[int]
    raws: list[bytes]
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
    rows: list[bytes]
    filtered: list[int]
    blank: list[int]
    latencies: list[float]
    failed: list[tuple[int, Told]]
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
    return failure[:6]


def dumps(value: Any) -> bytes:
    """Pickled by name where that works, and by value for what is defined in a script."""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        pickled: bytes = cloudpickle.dumps(value)
        return pickled


class PickledCodec:
    """A job's codec in a worker, where items come, or results go, as pickles."""

    def __init__(self, codec: Codec, *, items_in: bool, objects_out: bool) -> None:
        self._codec = codec
        self._items_in = items_in
        self.columns = codec.columns
        self.join = codec.join
        self.explain = codec.explain
        self.decode = self._unpickle if items_in else codec.decode
        self.encode = self._pickle if objects_out else codec.encode

    def _unpickle(self, raw: Any) -> Any:
        return self._codec.decode(pickle.loads(raw))  # noqa: S301 - from the driver's own pipe

    def _pickle(self, result: Any) -> bytes:
        row = self._codec.encode(result)
        try:
            return dumps(row)
        except Exception as error:
            raise UnencodableResult(
                f"the result cannot be sent from a worker process: {error}; hint: return plain "
                "values, or run in threads"
            ) from error

    def key_of(self, raw: Any) -> str | int | None:
        return self._codec.key_of(pickle.loads(raw) if self._items_in else raw)  # noqa: S301
