"""How does a batcher wait only when waiting pays? `max_queue_time="auto"`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.batch_patience import Patience
from .batcher_pump import Pump
from .batcher_state import State

if TYPE_CHECKING:
    from contextvars import Context

    from ..core.batching import Batch, Reason
    from .batcher_running import RunningBatch
    from .batcher_settings import Settings


class PatientPump(Pump):
    """A pump that learns when the next batch may start."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        self._patience = Patience(settings.slots)

    def _open_tick(self, now: float) -> None:
        super()._open_tick(now)
        self._patience.arrived(now)

    def _expect_calls(self, now: float) -> None:
        """Nothing: it would look like an arrival."""

    def _hurry(self, now: float, *, freed: bool) -> Reason | None:
        if self.state is State.OPEN and now < self._patience.next_at():
            return None
        return super()._hurry(now, freed=freed) or "idle"

    def _look_again_at(self) -> float | None:
        return max(0.0, self._patience.next_at()) if len(self.line) else None

    def _start(self, batch: Batch, now: float, *, nested: bool) -> None:
        super()._start(batch, now, nested=nested)
        self._patience.started(now)

    def _ended(self, running: RunningBatch, began_at: float) -> None:
        if self.loop is not None:
            self._patience.ran(running.size, self.loop.time() - began_at)
        super()._ended(running, began_at)


def pump_of(settings: Settings, context: Context) -> Pump:
    """The pump that does what is set, and no more."""
    return (PatientPump if settings.max_queue_time == "auto" else Pump)(settings, context)
