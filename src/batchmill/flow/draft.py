"""What will the next commit hold? Outcomes, gathered in the order in which they are to leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from ..core.ordering import Reorder
from ..core.progress import ranges_of
from ..records import Commit, DeadLetter, Outcome


class NoRow(Enum):
    """An outcome without a row."""

    FILTERED = "filtered"
    BLANK = "blank"


class Draft:
    """The commit in the making. Its counts always fit what it settles.

    With `reorder`, outcomes wait here for their predecessors; `held` tells how many do.
    """

    def __init__(self, join: Callable[[list[Any]], Any], reorder: Reorder | None) -> None:
        self.commit = Commit()
        self._join = join
        self._reorder = reorder

    @property
    def held(self) -> int:
        return 0 if self._reorder is None else len(self._reorder)

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
        self.commit.counts.succeeded += len(seqs)
        self.commit.settled += ranges_of(seqs)

    def filtered(self, seqs: list[int]) -> None:
        """Add records of this run that have no row. Sorts `seqs`."""
        if self._reorder is not None:
            for seq in seqs:
                self._reorder.put(seq, NoRow.FILTERED)
            self._leave_in_order(self._reorder)
            return
        self.commit.counts.filtered += len(seqs)
        self.commit.settled += ranges_of(seqs)

    def blank(self, seq: int) -> None:
        self._one(seq, NoRow.BLANK)

    def failed(self, letter: DeadLetter, *, before: bool) -> None:
        """Add a dead letter; `before` says that an earlier run has written one for it, too."""
        if before:
            self.commit.dead_letters.append(letter)
        else:
            self._one(letter.seq, letter)

    def again(self, seq: int, was: Outcome, now: Outcome, rows: Sequence[Any]) -> None:
        """Add the new outcome of a record that an earlier run had settled."""
        self.commit.counts.move(was, now)
        (self.commit.resolved if was == "failed" else self.commit.replaced).append(seq)
        self._append(list(rows))

    def _one(self, seq: int, outcome: NoRow | DeadLetter) -> None:
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
                self.commit.counts.succeeded += len(run)
                self.commit.settled.append((seq, seq + len(run)))
            else:
                self._leave(seq, run)
        self._append(rows)

    def _leave(self, seq: int, outcome: NoRow | DeadLetter) -> None:
        commit = self.commit
        commit.settled.append((seq, seq + 1))
        if isinstance(outcome, DeadLetter):
            commit.counts.failed += 1
            commit.dead_letters.append(outcome)
        elif outcome is NoRow.FILTERED:
            commit.counts.filtered += 1
            commit.filtered.append(seq)
        else:
            commit.counts.blank += 1

    def _append(self, rows: list[Any]) -> None:
        if rows:
            chunk = self._join(rows)
            self.commit.chunks.append(chunk)
            self.commit.size += len(chunk)


def split(
    seqs: list[int], rows: list[Any], earlier: Mapping[int, Outcome]
) -> tuple[list[int], list[Any], list[tuple[int, Any]]]:
    """Seqs and rows of the records of this run, and (seq, row) of those that earlier runs knew."""
    new = [(seq, row) for seq, row in zip(seqs, rows, strict=True) if seq not in earlier]
    old = [(seq, row) for seq, row in zip(seqs, rows, strict=True) if seq in earlier]
    return [seq for seq, _ in new], [row for _, row in new], old
