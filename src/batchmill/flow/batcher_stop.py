"""How does a batcher end, so that nobody is left waiting?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .batcher_deadlines import require_seconds
from .batcher_errors import BatcherStopped, WrongLoop
from .batcher_running import INSIDE
from .batcher_state import State

if TYPE_CHECKING:
    from .batcher_entrance import Entrance
    from .batcher_pump import Pump

CANCEL_GRACE_S = 1.0
"""How long to wait for cancelled batches to end; their callers have been told before."""


async def stop(pump: Pump, entrance: Entrance, *, force: bool, timeout_s: float | None) -> None:
    """See AsyncBatcher.stop."""
    if timeout_s is not None:
        require_seconds(timeout_s)
    if pump.loop is None or entrance.is_free():
        pump.detach()
        pump.state = State.STOPPED
        return
    _refuse_if_wrong(pump)
    if force:
        await _abort(pump, "the batcher was stopped by force")
    else:
        await _drain(pump, timeout_s)


def _refuse_if_wrong(pump: Pump) -> None:
    if asyncio.get_running_loop() is not pump.loop:
        raise WrongLoop("stop() must be called in the event loop that the batcher serves")
    inside = INSIDE.get()
    if inside is not None and inside.is_within(pump):
        raise RuntimeError("stop() inside process_batch would wait for itself")


async def _drain(pump: Pump, timeout_s: float | None) -> None:
    if pump.state is State.OPEN:
        pump.state = State.DRAINING
        pump.line.shut()
        pump.dispatch()
    try:
        async with asyncio.timeout(timeout_s):
            await _quiet(pump)
    except TimeoutError:
        await _abort(pump, f"the batcher was stopped, and not done within {timeout_s:g} s")
    pump.state = State.STOPPED


async def _abort(pump: Pump, message: str) -> None:
    pump.state = State.STOPPED
    pump.abort(BatcherStopped(message))
    try:
        async with asyncio.timeout(CANCEL_GRACE_S):
            await _quiet(pump)
    except TimeoutError:
        pump.forget_running()


async def _quiet(pump: Pump) -> None:
    """Wait until nothing waits or runs."""
    if not pump.is_idle():
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pump.quiet.append(waiter)
        await waiter
