"""What do observers hear, and how often?"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..core.tally import Speed
from ..events import Event, Noted, Progressed
from ..protocols import Observer
from ..slots import Engine
from .desk import RunDesk
from .feed import RunFeed

SHOW_EVERY_S = 0.25
"""How often the progress of a run is told."""

_log = logging.getLogger(__name__)


class Watch:
    """Tells the observers. One that raises is dropped: watching never stops a run."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)

    @property
    def observed(self) -> bool:
        """Whether anybody listens."""
        return bool(self._observers)

    def tell(self, event: Event) -> None:
        for observer in tuple(self._observers):
            try:
                observer.on_event(event)
            except Exception:
                _log.exception("observer %r failed and is dropped", observer)
                self._observers.remove(observer)

    def note(self, message: str, level: str = "info") -> None:
        self.tell(Noted(message, level))


class Meter:
    """Measures a run a few times a second and tells how it goes."""

    def __init__(
        self,
        watch: Watch,
        desk: RunDesk,
        feed: RunFeed,
        engine: Engine,
        already_settled: int,
    ) -> None:
        self._watch = watch
        self._desk = desk
        self._feed = feed
        self._engine = engine
        self._already_settled = already_settled
        self._speed = Speed()
        self._began_at = self._told_at = desk.clock.now()

    @property
    def elapsed_s(self) -> float:
        return self._desk.clock.now() - self._began_at

    def tick(self, now: float) -> None:
        if now - self._told_at >= SHOW_EVERY_S:
            self._told_at = now
            self._watch.tell(self.progressed(now))

    def progressed(self, now: float) -> Progressed:
        desk, feed = self._desk, self._feed
        fraction = feed.pending.fraction
        self._speed.note(now, desk.counts.settled, fraction)
        seq, started = self._engine.oldest() or (None, now)
        return Progressed(
            elapsed_s=now - self._began_at,
            counts=desk.counts,
            retries=desk.retries,
            in_flight=feed.in_flight,
            waiting=len(desk.trials),
            already_settled=self._already_settled,
            fraction=fraction,
            rate_per_s=self._speed.rate_per_s,
            eta_s=self._speed.eta_s,
            oldest_s=now - started,
            oldest_seq=seq,
        )
