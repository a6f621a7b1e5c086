"""What the desk hears of a portion: that it was answered, or that its worker was lost."""

from __future__ import annotations

from typing import Any

from ..errors import BatchmillError, TimedOut, UnencodableResult, WorkerDied
from ..records import Failure, Taken
from ..slots import Desk
from .base import Setting
from .crew import Lane
from .process import Lost
from .slot import fail, give_back
from .wire import Done, Told, unpacked
from .work import Failed, Record, report_in_order


def report_done(done: Done, taken: Taken, desk: Desk) -> None:
    """Report what a worker has made of a portion, in the order in which its calls ended."""
    desk.latencies.extend(done.latencies)
    desk.rowless.extend(done.rowless)
    for seq in done.blank:
        desk.blank(seq)
    raws = dict(taken.pairs()) if done.failed or done.whole or done.given_back else {}
    failed = [Failed(seq, raws[seq], _error(told), succeeded, filtered)
              for seq, told, succeeded, filtered in done.failed]  # fmt: skip
    try:
        rows = unpacked(done.rows)
    except Exception as error:
        report_in_order(desk, [], [], done.filtered, failed)
        _report_unreadable(error, done.seqs, dict(taken.pairs()), desk)
    else:
        report_in_order(desk, done.seqs, rows, done.filtered, failed)
    if done.whole is not None:
        desk.failed_together([(seq, raws[seq]) for seq in done.called], _error(done.whole))
    give_back(desk, [(seq, raws[seq]) for seq in done.given_back])


def _report_unreadable(error: Exception, seqs: list[int], raws: dict[int, Any], desk: Desk) -> None:
    """Report results of which one at least cannot be read; it is found by calling them in parts."""
    told = UnencodableResult(
        f"the result of a worker process cannot be read: {type(error).__name__}: {error}; hint: "
        "return plain values, or run in threads"
    )
    desk.failed_together([(seq, raws[seq]) for seq in seqs], told)


def _error(told: Told) -> BaseException | Failure:
    """What a worker has told; an exception where it is to stop the run."""
    failure = Failure(*told)
    if failure.lineage[0] == "builtins.KeyboardInterrupt":
        return KeyboardInterrupt(failure.message)
    if "batchmill.errors.BatchmillError" in failure.lineage:
        return BatchmillError(failure.message)
    return failure


class Losses:
    """Portions whose worker was lost. Every call that had begun counts as one, for the latencies
    and for the records that it held, whatever came of it."""

    def __init__(self, setting: Setting) -> None:
        self.deaths = 0
        self._setting = setting
        self._held: set[int] = set()
        """Records held by workers that died between two calls, until they are answered for."""

    def answered(self, seqs: list[int]) -> None:
        """These records have been answered for."""
        if self._held:
            self._held.difference_update(seqs)

    def report(self, lane: Lane, lost: Lost, records: list[Record], desk: Desk) -> None:
        """Report the call that was being made, those before it, and those that had not begun."""
        self.deaths += 1
        called = self._called(lane, lost, records)
        self.report_latencies(lane, lost, records, desk)
        victims = self._victims(lane, lost, records, called)
        blamed = {seq for seq, _ in victims}
        over = {seq for seq, _ in called} - blamed
        for seq, raw in records:
            if seq in over:
                desk.lost(seq, raw)
        give_back(desk, [each for each in records if each[0] not in blamed | over])
        if victims:
            self._blame(victims, lane, lost, desk)

    def report_latencies(self, lane: Lane, lost: Lost, records: list[Record], desk: Desk) -> None:
        """One for every call that has begun. How long those before the last one took is known only
        of all together."""
        count = len(self._called(lane, lost, records))
        count = min(count, 1) if self._setting.together > 1 else count
        if not count:
            return
        now = self._setting.now()
        _, began = lost.calling.get(lane.number, (None, now))
        earlier_s = max(0.0, began - lane.handed_at) / count
        last_s = now - began if lane.number in lost.calling else earlier_s
        desk.latencies.extend([*[earlier_s] * (count - 1), last_s])

    def _called(self, lane: Lane, lost: Lost, records: list[Record]) -> list[Record]:
        """Those of the portion whose call had begun; they are called in order."""
        last = lost.last.get(lane.number)
        at = next((at for at, (seq, _) in enumerate(records) if seq == last), None)
        if at is None:
            return []
        return records if self._setting.together > 1 else records[: at + 1]

    def _victims(
        self, lane: Lane, lost: Lost, records: list[Record], called: list[Record]
    ) -> list[Record]:
        """The records that the worker may have died of."""
        if not lost.calling:
            return self._held_before(called or records)
        if lane.number not in lost.calling:
            return []
        return called if self._setting.together > 1 else called[-1:]

    def _held_before(self, records: list[Record]) -> list[Record]:
        """Those among the records of a worker that died between two calls that were held by another
        one when it did. Once is chance; twice it is what a call has left behind."""
        again = [each for each in records if each[0] in self._held]
        self._held.update(seq for seq, _ in records)
        return again

    def _blame(self, victims: list[Record], lane: Lane, lost: Lost, desk: Desk) -> None:
        if lane.number in lane.worker.late:
            fail(desk, victims, TimedOut(f"no answer within {self._setting.timeout_s:g} s; its "
                                         "worker process was killed"))  # fmt: skip
        elif lane.worker.late:
            for seq, raw in victims:
                desk.lost(seq, raw)
        else:
            desk.died(victims, WorkerDied(f"the worker process that called it {lost.how}"))
