"""Which item makes a batch fail? Every caller is answered, the innocent with their results."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from ..core.batching import half_of
from .batcher_answers import checked, fail, settle
from .batcher_errors import WrongResults

if TYPE_CHECKING:
    from ..core.batch_stats import BatchTally
    from .batcher_call import Call

Part = tuple[list[Any], list[Any]]
"""Items, and the caller or list of callers of each."""


class Answering:
    """Answers the callers of a batch. `call` is process_batch."""

    def __init__(self, call: Call, tally: BatchTally, *, split: bool, share: bool) -> None:
        self.call = call
        self._tally = tally
        self._split = split
        self._share = share

    def settle(self, callers: list[Any], results: Any) -> None:
        """Give each caller its result. Raises WrongResults if they are not one for each."""
        results = checked(results, len(callers))
        if self._share:
            results = list(chain.from_iterable(map(_repeat, results, callers)))
            callers = self.callers(callers)
        self._tally.calls += 1
        self._tally.failed += settle(callers, results)

    async def isolate(self, error: Exception, items: list[Any], callers: list[Any]) -> None:
        """After `error`, call again with halves of the batch until everyone is answered.

        Raises only what is not an Exception; callers may then be left over.
        """
        parts = self._after(error, (items, callers))
        while parts:
            items, callers = part = parts.pop()
            try:
                self.settle(callers, await self.call(items))
            except Exception as again:
                parts += self._after(again, part)

    def _after(self, error: Exception, part: Part) -> list[Part]:
        """What to try next. The first half is the last of the list, which comes first."""
        items, callers = part
        self._tally.calls += 1
        if not self._split or len(items) == 1 or isinstance(error, WrongResults):
            self._tally.failed += fail(self.callers(callers), error)
            return []
        middle = half_of(len(callers))
        halves = ((items[middle:], callers[middle:]), (items[:middle], callers[:middle]))
        return [half for half in map(self._still_wanted, halves) if half[0]]

    def _still_wanted(self, part: Part) -> Part:
        wanted = [
            (item, who)
            for item, who in zip(*part, strict=True)
            if not all(caller.done() for caller in self.callers([who]))
        ]
        return [item for item, _ in wanted], [who for _, who in wanted]

    def callers(self, callers: list[Any]) -> list[Any]:
        """Each of them, where some share an item."""
        return list(chain.from_iterable(callers)) if self._share else callers


def _repeat(result: Any, callers: list[Any]) -> list[Any]:
    return [result] * len(callers)
