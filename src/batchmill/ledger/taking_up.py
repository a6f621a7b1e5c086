"""A job is gone on with: fresh, resumed, or after something was changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.progress import Progress
from ..job import Job
from ..protocols import Source
from ..records import Counts, Mark
from ..sinks.appended import AppendedFile, compression_named
from .adopted import refuse_other_compression, refuse_strange
from .changed import (
    begins_anew,
    changed_output,
    changed_settings,
    changed_source,
    unasked,
    unknown_output,
    without_key,
)
from .ledger import SqliteLedger
from .marks import Marks
from .output import pieces_of
from .rebuild import rebuild
from .rewrite import finish_rewrite, remove_superseded

Note = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for besides the job itself."""

    restart: bool = False
    accept_changes: bool = False
    only: Literal["failed", "reruns"] | None = None
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class TakingUp:
    """A job whose lock is held and whose ledger is open, before its run begins."""

    job: Job
    source: Source
    sink: AppendedFile
    settings: dict[str, Any]
    key_of: Callable[[Any], str | int | None]
    asked: Asked
    note: Note
    ledger: SqliteLedger

    def take_up(self) -> dict[str, Any]:
        """Have ledger, output and source agree, and the sink open; returns the facts of the source.

        Raises Changed, with nothing touched, where going on could lose or double a record, or would
        take over what is of another making without having been asked to.
        """
        finish_rewrite(self.ledger, self.sink.path)
        error = changed_settings(self.ledger, self.settings, accept=self.asked.accept_changes)
        if error:
            raise error
        # Asked before the source is looked at: what changes later is noticed when it is read.
        identity = self.source.identity()
        strange = unknown_output(self.ledger, self.sink.path)
        if strange:
            self._adopt(strange)
        else:
            self._go_on()
        return identity

    def _adopt(self, why: str) -> None:
        if not self.asked.adopt:
            raise unasked(why)
        if self.job.key is None:
            raise without_key(why)
        self._continue_rows()
        refuse_strange(self.sink.path, self.sink.rows, self.job.key)
        self._by_key(why)

    def _go_on(self) -> None:
        why = changed_output(self.ledger, self.sink.path)
        if why is None:
            if begins_anew(self.ledger, self.settings):
                self._begin_anew()
            # What was not committed goes first: everything else would take it for results.
            self._open_sink()
            if remove_superseded(self.ledger, self.sink.path, self.sink.rows, self.job.key):
                self._open_sink()
            why = self._changed_source()
        if why or self.ledger.output_length:
            self._continue_rows()
        if why:
            self._by_key(why)

    def _changed_source(self) -> str | None:
        """What only a rebuild by key can mend: records that are settled, and not what they were."""
        why = changed_source(self.ledger, self.source)
        if why is None or self.ledger.counts.settled:
            return why
        self._begin_anew()
        self._open_sink()
        return None

    def _begin_anew(self) -> None:
        """Forget how far the source was read. No record is settled, so nothing else is known."""
        with self.ledger.rebuilding(0, 0, 0):
            self.ledger.restate(Progress(), Counts(), Marks(Mark(), Mark()), None)

    def _open_sink(self) -> None:
        ledger, sink = self.ledger, self.sink
        sink.close()
        with ledger.transaction():
            surplus = sink.open(ledger.output_length, ledger.output_crc)
        if surplus:
            self.note(f"cut {surplus} uncommitted bytes off {sink.path}")

    def _continue_rows(self) -> None:
        """Have rows written as those that stand in the output."""
        if self.sink.path.exists():
            refuse_other_compression(self.sink.path, compression_named(Path(self.job.sink or "")))
            self.sink.rows.go_on(pieces_of(self.sink.path), self.sink.name)

    def _by_key(self, why: str) -> None:
        if self.job.key is None:
            raise without_key(why)
        found = rebuild(self.ledger, self.source, self.sink.path, self.sink.rows, key=self.job.key,
                        rerun_key=self.job.rerun_key, key_of=self.key_of)  # fmt: skip
        self.note(f"{why}; progress was rebuilt by {self.job.key!r}: {found}", "warning")
        self._open_sink()
