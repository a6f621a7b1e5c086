"""Which records can travel to a worker process, and how?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InvalidRecord
from ..protocols import Codec
from ..records import Taken
from ..slots import Desk
from .slot import unreadable
from .wire import dumps


class Sender:
    """Records that are bytes travel as they are, items as one pickle."""

    def __init__(self, codec: Codec, *, items_in: bool) -> None:
        self._codec = codec
        self._items_in = items_in

    def pack(self, taken: Taken, desk: Desk) -> tuple[Taken, list[bytes] | bytes]:
        """The records that can travel, and how they do; the others are reported."""
        if self._items_in:
            try:
                return taken, dumps(taken.raws)
            except Exception:
                sound = self._sound(taken, _check_item, desk)
                return sound, dumps(sound.raws)
        if set(map(type, taken.raws)) == {bytes}:
            return taken, taken.raws
        sound = self._sound(taken, _check_bytes, desk)
        return sound, sound.raws

    def _sound(self, taken: Taken, check: Callable[[Any], None], desk: Desk) -> Taken:
        sound = Taken([], [])
        for seq, raw in taken.pairs():
            try:
                check(raw)
            except Exception as error:
                unreadable(desk, self._codec, seq, raw, error)
            else:
                sound.seqs.append(seq)
                sound.raws.append(raw)
        return sound


def _check_bytes(raw: Any) -> None:
    if not isinstance(raw, bytes):
        raise TypeError("too large to be sent")


def _check_item(item: Any) -> None:
    try:
        dumps(item)
    except Exception as error:
        raise InvalidRecord(
            f"the item cannot be sent to a worker process: {error}; hint: give plain values, or "
            "run in threads"
        ) from error
