"""What do the driver and a worker process say to each other?

Frames of MessagePack over pipes that nobody else can reach: records and rows travel as bytes, so
neither side parses what it does not need. Only what sets a worker up, and items and results that
never were bytes, are pickled.
"""

from __future__ import annotations

import functools
import io
import pickle
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import cloudpickle
import msgspec

from ..records import Failure, Limit, Sign

Told = tuple[str, str, str, tuple[str, ...], int | None, float | None, Limit, tuple[Sign, ...]]
"""A failure without the exception, which may not be able to travel."""

MARK = b"\xc1bml"
"""Begins and ends a frame, so that bytes that a task has put between them are noticed. MessagePack
never uses its first byte."""
_HEAD = struct.Struct(">4sQ")
HEAD = _HEAD.size
FRAME_MOST = 1 << 40
"""More bytes than any frame has."""
LENGTH = 8
"""Bytes of a blob's length."""


class Garbled(Exception):
    """What has come through a pipe is no frame."""


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
    rowless: list[tuple[int, str | int]] = []
    """Seq and key of records without rows, where that is asked for."""


class Closing(msgspec.Struct, array_like=True, tag="closing"):
    """From a worker: it calls nothing any more, and shuts the task down."""


class Ended(msgspec.Struct, array_like=True, tag="ended"):
    """From a worker: the task has been shut down."""


_encoder = msgspec.msgpack.Encoder()
_to_worker = msgspec.msgpack.Decoder(Portion | Close)
_from_worker = msgspec.msgpack.Decoder(Ready | Refused | Done | Closing | Ended)


def frame(message: msgspec.Struct) -> bytearray:
    """A message between marks, with its length in front. Text that UTF-8 cannot carry is spelled
    out."""
    buffer = bytearray(HEAD)
    try:
        _encoder.encode_into(message, buffer, HEAD)
    except UnicodeEncodeError:
        return frame(_spelled_out(message))
    _HEAD.pack_into(buffer, 0, MARK, len(buffer) - HEAD)
    buffer += MARK
    return buffer


def _spelled_out(value: Any) -> Any:
    """The same, with every lone surrogate in its texts as an escape: what cannot be encoded."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list | tuple):
        return type(value)(map(_spelled_out, value))
    if isinstance(value, msgspec.Struct):
        return type(value)(*map(_spelled_out, msgspec.structs.astuple(value)))
    return value


class Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self, decode: Callable[[memoryview], Any]) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are complete with `data`.

        Raises Garbled where something else came through; nothing that follows can be read then.
        """
        buffer = self._buffer
        buffer += data
        messages: list[Any] = []
        start = 0
        while len(buffer) - start >= HEAD:
            body = start + HEAD
            end = body + _length(buffer, start)
            if len(buffer) < end + len(MARK):
                break
            messages.append(self._read(body, end))
            start = end + len(MARK)
        del buffer[:start]
        return messages

    def _read(self, body: int, end: int) -> Any:
        with memoryview(self._buffer) as view, view[body:end] as message:
            if view[end : end + len(MARK)] != MARK:
                raise Garbled("a frame does not end where it should")
            try:
                return self._decode(message)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise Garbled(f"a frame cannot be read: {error}") from None


def _length(buffer: bytearray, start: int) -> int:
    mark, length = _HEAD.unpack_from(buffer, start)
    if mark != MARK or length > FRAME_MOST:
        raise Garbled("there is no frame")
    return int(length)


def to_worker() -> Frames:
    return Frames(_to_worker.decode)


def from_worker() -> Frames:
    return Frames(_from_worker.decode)


def read_blob(stream: BinaryIO) -> bytes:
    """What is no message: what sets a worker up."""
    return stream.read(int.from_bytes(stream.read(LENGTH), "big"))


def blob(body: bytes) -> bytes:
    return len(body).to_bytes(LENGTH, "big") + body


def told(failure: Failure) -> Told:
    return failure[:8]


_CACHED = type(functools.cache(len))


def _cached(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """The function with a cache of its own, which is empty."""
    return functools.lru_cache(**parameters)(function)


def _has_name(function: Any) -> bool:
    """Whether another process finds it by its name: it is of no script, and of no function."""
    module = sys.modules.get(function.__module__)
    found: Any = None if function.__module__ == "__main__" else module
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function


class _ByValue(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles the classes and functions of a script as what they are made of."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, _CACHED) and not _has_name(value):
            # By itself it travels by its name all the same.
            return _cached, (value.__wrapped__, value.cache_parameters())
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
