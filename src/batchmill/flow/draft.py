"""The next commit in the making: outcomes, gathered in the order in which they are to leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from operator import not_
from typing import Any

from ..core.ordering import Reorder
from ..core.progress import ranges_of
from ..records import Commit, DeadLetter, Outcome, OutcomeCode

LETTER_BYTES = 1_000
"""What a dead letter takes in memory besides its record, message and traceback, about."""
MAX_HELD = 10_000
"""Most outcomes that wait for their predecessors with order="input","""
HELD_BYTES = 32 << 20
"""and most bytes of their rows. Calls in flight by then may add to both."""


class Draft:
    """The commit in the making. Its counts always fit what it settles.

    With `reorder`, outcomes wait here for their predecessors. `empty` is the row of an empty list
    of results, where rows are bytes.
    """

    def __init__(
        self, join: Callable[[list[Any]], Any], reorder: Reorder | None, empty: bytes | None = None
    ) -> None:
        self.commit = Commit()
        self._join = join
        self._reorder = reorder
        self._empty = empty

    @property
    def held(self) -> int:
        """How many outcomes wait for their predecessors."""
        return 0 if self._reorder is None else len(self._reorder)

    @property
    def has_room(self) -> bool:
        """Whether more outcomes may have to wait for their predecessors."""
        held_bytes = 0 if self._reorder is None else self._reorder.bytes
        return self.held < MAX_HELD and held_bytes < HELD_BYTES

    def take(self) -> Commit:
        """The commit as it stands; a new one is begun."""
        taken, self.commit = self.commit, Commit()
        return taken

    def succeeded(self, seqs: list[int], rows: list[Any]) -> None:
        """Add records of this run with their rows. Sorts `seqs`."""
        if self._reorder is not None:
            self._reorder.put_rows(seqs, rows)
            self._leave_in_order(self._reorder)
            return
        self._append(rows)
        for code, those in self._by_code(seqs, rows):
            self._settle(ranges_of(those), code, len(those))

    def filtered(self, seqs: list[int]) -> None:
        """Add records of this run that have no row. Sorts `seqs`."""
        if self._reorder is not None:
            for seq in seqs:
                self._reorder.put(seq, OutcomeCode.FILTERED)
            self._leave_in_order(self._reorder)
            return
        self._settle(ranges_of(seqs), OutcomeCode.FILTERED, len(seqs))

    def blank(self, seq: int) -> None:
        self._one(seq, OutcomeCode.BLANK)

    def failed(self, letter: DeadLetter, *, before: bool) -> None:
        """Add a dead letter; `before` says that an earlier run has written one for it, too."""
        if before:
            self._write(letter)
        else:
            self._one(letter.seq, letter)

    def again(self, seq: int, was: Outcome, now: Outcome, rows: Sequence[Any]) -> None:
        """Add the new outcome of a record that an earlier run had settled."""
        self.commit.counts.move(was, now)
        (self.commit.resolved if was == "failed" else self.commit.replaced).append(seq)
        self.commit.resettled.append((seq, self._code_of(now, rows)))
        self._append(list(rows))

    def _code_of(self, outcome: Outcome, rows: Sequence[Any]) -> OutcomeCode:
        if outcome == "filtered":
            return OutcomeCode.FILTERED
        return OutcomeCode.WITH_ROWS if self._have_rows(rows) else OutcomeCode.WITHOUT_ROWS

    def _have_rows(self, rows: Sequence[Any]) -> bool:
        return self._empty is None or all(rows)

    def _by_code(self, seqs: list[int], rows: list[Any]) -> Iterable[tuple[OutcomeCode, list[int]]]:
        """Those that have rows, and those that have none."""
        if self._have_rows(rows):
            yield OutcomeCode.WITH_ROWS, seqs
            return
        yield OutcomeCode.WITH_ROWS, list(compress(seqs, rows))
        yield OutcomeCode.WITHOUT_ROWS, list(compress(seqs, map(not_, rows)))

    def _one(self, seq: int, outcome: OutcomeCode | DeadLetter) -> None:
        if self._reorder is not None:
            self._reorder.put(seq, outcome)
            self._leave_in_order(self._reorder)
        else:
            self._leave(seq, outcome)

    def _leave_in_order(self, reorder: Reorder) -> None:
        rows: list[Any] = []
        for seq, run in reorder.pop_ready():
            if isinstance(run, list):
                rows += run
                for code, those in self._by_code(list(range(seq, seq + len(run))), run):
                    self._settle(ranges_of(those), code, len(those))
            else:
                self._leave(seq, run)
        self._append(rows)

    def _leave(self, seq: int, outcome: OutcomeCode | DeadLetter) -> None:
        if isinstance(outcome, DeadLetter):
            self._write(outcome)
            outcome = OutcomeCode.FAILED
        self._settle([(seq, seq + 1)], outcome, 1)

    def _settle(self, ranges: list[tuple[int, int]], code: OutcomeCode, count: int) -> None:
        self.commit.settled += [(start, stop, code) for start, stop in ranges]
        self.commit.counts.note(code, count)

    def _write(self, letter: DeadLetter) -> None:
        self.commit.dead_letters.append(letter)
        self.commit.weight += LETTER_BYTES + letter.size

    def _append(self, rows: list[Any]) -> None:
        if rows:
            chunk = self._join(rows)
            self.commit.chunks.append(chunk)
            self.commit.size += len(chunk)
            self.commit.weight += len(chunk)


def split(
    seqs: list[int], rows: list[Any], earlier: Mapping[int, Outcome]
) -> tuple[list[int], list[Any], list[tuple[int, Any]]]:
    """Seqs and rows of the records of this run, and (seq, row) of those that earlier runs knew."""
    new = [(seq, row) for seq, row in zip(seqs, rows, strict=True) if seq not in earlier]
    old = [(seq, row) for seq, row in zip(seqs, rows, strict=True) if seq in earlier]
    return [seq for seq, _ in new], [row for _, row in new], old
