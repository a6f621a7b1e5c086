"""How are records called one after the other, where waiting for a call blocks?"""

from __future__ import annotations

from typing import Any

from ..tasks.frames import frames_for
from .base import Setting
from .batches import Batches
from .forked import leave_if_forked
from .slot import Slot
from .work import Work


class Blocking:
    """Calls a plain function for the records of some work, in whatever thread `do` is called."""

    def __init__(self, setting: Setting) -> None:
        self.context: Any = None
        self._codec = setting.codec
        self._call = setting.call
        self._now = setting.now
        self._home = setting.home
        self._batches: Batches | None = None
        if setting.task.is_batch:
            self._batches = Batches(setting.codec, frames_for(setting.batch_format))

    def do(self, work: Work, slot: Slot) -> None:
        """Call the records of `work`, until it is halted or late. The first is always called."""
        if self._batches:
            self._together(work, slot, self._batches)
        else:
            self._one_by_one(work, slot)
        leave_if_forked(self._home)

    def _one_by_one(self, work: Work, slot: Slot) -> None:
        decode, encode, now = self._codec.decode, self._codec.encode, self._now
        call, context = self._call, self.context
        started = now()
        for seq, raw in work.records:
            slot.seq, slot.raw = seq, raw
            slot.started = started
            try:
                record = decode(raw)
            except Exception as error:
                work.unreadable(self._codec, seq, raw, error)
                continue
            try:
                result = call(record, context)
                row = None if result is None else encode(result)
            except BaseException as error:
                leave_if_forked(self._home, error)
                work.failed.append((seq, raw, error))
            else:
                if result is None:
                    work.filtered.append(seq)
                else:
                    work.rows.append(row)
                    work.seqs.append(seq)
            ended = now()
            work.latencies.append(ended - started)
            if work.halted or ended > work.until:
                return
            started = ended

    def _together(self, work: Work, slot: Slot, batches: Batches) -> None:
        batch = batches.read(work)
        if not batch:
            return
        slot.begin(work.called, self._now())
        try:
            batches.settle(work, self._call(batches.pack(batch), self.context))
        except BaseException as error:
            leave_if_forked(self._home, error)
            work.whole = error
        work.latencies.append(self._now() - slot.started)
