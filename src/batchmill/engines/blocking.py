"""How are records called one after the other, where waiting for a call blocks?"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context, copy_context
from typing import Any

from .base import Setting
from .batches import Batches
from .forked import leave_if_forked
from .slot import Slot, outputs
from .work import Record, Work


class Blocking:
    """Calls a plain function for the records of some work, in whatever thread `do` is called.

    A call sees the context variables of that thread, and none that another call has set.
    """

    def __init__(self, setting: Setting) -> None:
        self.context: Any = None
        self._codec = setting.codec
        self._call = setting.call
        self._now = setting.now
        self._setting = setting
        self._home = setting.home
        self._batches: Batches | None = None
        if setting.task.is_batch:
            self._batches = Batches(setting)

    def do(self, work: Work, slot: Slot) -> None:
        """Call the records of `work`, until it is halted or late. The first is always called."""
        if self._batches:
            self._together(work, slot, self._batches)
        else:
            self._one_by_one(work, slot)
        leave_if_forked(self._home)

    def _one_by_one(self, work: Work, slot: Slot) -> None:
        records = iter(work.records)
        while copy_context().run(self._calls, records, work, slot):
            pass

    def _calls(self, records: Iterator[Record], work: Work, slot: Slot) -> bool:
        """Call these, in this context; True if others are to be called in a new one."""
        clean = copy_context()
        decode, now = self._codec.decode, self._now
        encode, add_filtered = outputs(self._setting, slot, work)
        call, context, as_it_is = self._call, self.context, copy_context
        seqs, rows, latencies = work.seqs, work.rows, work.latencies
        started = now()
        for seq, raw in records:
            slot.seq, slot.raw = seq, raw
            slot.started = started
            try:
                record = decode(raw)
            except Exception as error:
                work.unreadable(self._codec, seq, raw, error)
                if work.halted:
                    return False
                continue
            try:
                result = call(record, context)
                row = None if result is None else encode(result)
            except BaseException as error:
                leave_if_forked(self._home, error)
                work.fail(seq, raw, error)
            else:
                if result is None:
                    add_filtered(seq)
                else:
                    rows.append(row)
                    seqs.append(seq)
            ended = now()
            latencies.append(ended - started)
            if work.halted or ended > work.until:
                return False
            try:
                # Contexts that nobody has changed are one inside, and no value is compared.
                tainted = as_it_is() != clean
            except Exception:
                tainted = True
            if tainted:
                return True
            started = ended
        return False

    def _together(self, work: Work, slot: Slot, batches: Batches) -> None:
        batch = batches.read(work)
        if not batch:
            return
        slot.begin(work.called, self._now())
        try:
            packed = batches.pack(batch)
            batches.settle(work, copy_context().run(self._call, packed, self.context))
        except BaseException as error:
            leave_if_forked(self._home, error)
            work.whole = error
        work.latencies.append(self._now() - slot.started)


def same(clean: Context) -> bool:
    """Whether no context variable differs from what it is in `clean`.

    A context that nobody has changed is the same object inside, and no value is compared.
    """
    try:
        return copy_context() == clean
    except Exception:
        # Values that cannot be compared are not what they were.
        return False
