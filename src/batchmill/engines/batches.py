"""How does one call for several records go, from raw records to rows?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tasks.frames import frames_for
from .base import Setting
from .work import Record, Work


class Batches:
    """Turns records into the argument of `process_batch`, and what it returns into outcomes."""

    def __init__(self, setting: Setting) -> None:
        self._codec = setting.codec
        self._keyed = setting.keyed
        self._frames = frames_for(setting.batch_format)

    def read(self, work: Work) -> list[Any]:
        """The records that can be read; `work.called` then has them, too."""
        decode = self._codec.decode
        records: list[Any] = []
        called: list[Record] = []
        for seq, raw in work.records:
            try:
                records.append(decode(raw))
            except Exception as error:
                work.unreadable(self._codec, seq, raw, error)
            else:
                called.append((seq, raw))
        work.called = called
        return records

    def pack(self, records: list[Any]) -> Any:
        """What the task is called with."""
        return self._frames.pack(records)

    def settle(self, work: Work, result: Any) -> None:
        """Note the outcome of each record. Raises WrongResult if there is not one for each."""
        results: Sequence[Any] = self._frames.unpack(result, len(work.called))
        encode = self._codec.encode
        for (seq, raw), result in zip(work.called, results, strict=True):
            if isinstance(result, BaseException):
                work.fail(seq, raw, result)
                continue
            try:
                row = None if result is None else encode(result)
            except Exception as error:
                work.fail(seq, raw, error)
                continue
            if self._keyed and not row:
                work.rowless.append((seq, self._codec.key_of(raw)))
            if result is None:
                work.filtered.append(seq)
            else:
                work.rows.append(row)
                work.seqs.append(seq)
