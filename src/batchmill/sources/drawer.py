"""Drawing an iterable that may keep whoever draws it waiting."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from ..errors import SourceError

AHEAD_S = 0.005
"""For about how long there are items that are drawn and not taken yet: handing them over takes some
0.05 ms. So an iterable is drawn closely where its items, which may be large, or their calls take
time."""
MOST_AHEAD = 1024
"""Most of them; or as many as one call takes, if that is more."""
FIRST_AHEAD = 64
LEAST_AHEAD = 16
FILL_S = 1.0
"""How long the first records of a call wait for the others."""
LET_GO_S = 0.5
"""How long the end of a run waits for an iterable to give an item, and to be closed. One that does
not is left alone with its thread, which keeps no interpreter from its end."""


_log = logging.getLogger(__name__)


class Drawer:
    """Draws an iterable in a thread of its own, which is the only one to touch it, and closes it.

    Walking through it never waits: it gives what has been drawn since, in lists, and an empty list
    where there is nothing yet; `ready` is then called, in the thread, once there is. What the
    iterable raises is raised behind all that was drawn before it.

    Lists hold full calls of `together` items, but for what has waited for FILL_S and for the end.
    """

    def __init__(self, items: Iterable[Any], ready: Callable[[], None], together: int = 1) -> None:
        self._items = items
        self._ready = ready
        self._together = together
        self._ahead = max(FIRST_AHEAD, together)
        """How many items may be drawn and not taken yet."""
        self._taken_at = 0.0
        self._drawn: deque[Any] = deque()
        self._few_since: float | None = None
        """Since when there are some, and fewer than a call takes."""
        self._wanted = False
        """Whether somebody has found too little, and is to be told once there is enough."""
        self._room = threading.Event()
        self._ended = False
        self._error: BaseException | None = None
        self._closed = False
        # What the iterable sees of context variables is what its user sees.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._draw,), name="batchmill-source", daemon=True
        )

    def __enter__(self) -> Drawer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the iterable go, and wait LET_GO_S for it."""
        self._closed = True
        self._room.set()
        self._thread.join(LET_GO_S)

    def __iter__(self) -> Iterator[list[Any]]:
        return self

    def __next__(self) -> list[Any]:
        # Asked for before the look, so that nothing comes unheard in between.
        self._wanted = True
        ended = self._ended
        count = len(self._drawn) if ended else self._worth_taking()
        if count or ended:
            self._wanted = False
        if ended and not count:
            self._raise_error()
            raise StopIteration
        taken = [self._drawn.popleft() for _ in range(count)]
        self._fit(count)
        self._room.set()
        return taken

    def _fit(self, count: int) -> None:
        """Draw further ahead, or less, after `count` items were there to be taken."""
        now = time.monotonic()
        lasted_s, self._taken_at = now - self._taken_at, now
        if count >= self._ahead and lasted_s < AHEAD_S / 2:
            self._ahead = max(min(self._ahead * 2, MOST_AHEAD), self._together)
        elif lasted_s > AHEAD_S * 2:
            self._ahead = max(self._ahead // 2, LEAST_AHEAD, self._together)

    def _worth_taking(self) -> int:
        """How many items there are for full calls; all, if they have waited for others."""
        count = len(self._drawn)
        whole = count // self._together * self._together
        if whole or not count:
            self._few_since = None
            return whole
        now = time.monotonic()
        self._few_since = self._few_since or now
        return count if now - self._few_since > FILL_S else 0

    def _raise_error(self) -> None:
        error = self._error
        if error is None:
            return
        if isinstance(error, Exception):
            raise error
        # Whoever draws is not the one to be interrupted, or to exit.
        raise SourceError(f"the source raised {type(error).__name__}: {error}") from error

    def _draw(self) -> None:
        """What the thread does."""
        try:
            self._draw_from(iter(self._items))
        except BaseException as error:
            self._error = error
            if self._closed:
                _log.warning("the source failed when the run had let it go", exc_info=error)
        self._ended = True
        self._tell()

    def _draw_from(self, items: Iterator[Any]) -> None:
        drawn, enough = self._drawn, self._together
        try:
            for item in items:
                drawn.append(item)
                if self._wanted and len(drawn) >= enough:
                    self._tell()
                if len(drawn) >= self._ahead:
                    self._wait_for_room()
                if self._closed:
                    return
        finally:
            if isinstance(items, Generator):
                items.close()

    def _wait_for_room(self) -> None:
        while len(self._drawn) >= self._ahead and not self._closed:
            self._room.clear()
            if len(self._drawn) >= self._ahead and not self._closed:
                self._room.wait()

    def _tell(self) -> None:
        if self._wanted:
            self._wanted = False
            self._ready()
