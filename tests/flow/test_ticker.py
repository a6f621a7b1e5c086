"""One timer for the whole run: what it looks after is looked after to the end."""

from __future__ import annotations

import asyncio

from stage import Stage

from batchmill.events import Noted, Progressed
from batchmill.flow.watch import SHOW_EVERY_S
from batchmill.options import Retry
from batchmill.sources.iterable import ItemSource


class Unmeasurable(ItemSource):
    """Can no longer say how much of it is done once half of it was read."""

    def fraction(self, mark):
        if mark.seq > 5:
            raise OSError("the disk is gone")
        return 0.0


async def slow(record):
    await asyncio.sleep(1)
    return record


def test_a_source_that_cannot_say_how_much_is_done_does_not_stop_the_clock():
    async def task(record):
        await asyncio.sleep(100_000 if record == 8 else 1)
        return record

    stage = Stage(task, (), source=Unmeasurable(range(10)), concurrency=2, timeout_s=3,
                  retry=Retry(max_attempts=1), horizon_s=7200)  # fmt: skip
    stage.play()

    assert stage.ended_at < 60
    assert stage.stop.error or (stage.failed == [8] and len(stage.results) == 9)


def test_progress_is_told_a_few_times_a_second():
    stage = Stage(slow, range(20), concurrency=2).play()

    told = [event for event in stage.notes if isinstance(event, Progressed)]
    assert (
        0.8 * stage.ended_at / (SHOW_EVERY_S + 0.05) <= len(told) <= stage.ended_at / SHOW_EVERY_S
    )
    assert told[10].in_flight == 2


def test_an_observer_that_fails_is_dropped_and_the_run_goes_on():
    class Failing(Stage):
        def on_event(self, event):
            self.notes.append(event)
            raise ValueError

    stage = Failing(slow, range(20), concurrency=2).play()

    assert len(stage.results) == 20
    assert len(stage.notes) == 1


def test_a_task_that_blocks_the_loop_is_told_of():
    async def task(record):
        if record == 5:
            asyncio.get_running_loop().now_s += 7
        await asyncio.sleep(0.1)
        return record

    stage = Stage(task, range(20), concurrency=2).play()

    warnings = [event.message for event in stage.notes if isinstance(event, Noted)]
    assert len(warnings) == 1
    assert "stood still" in warnings[0]
    assert "7.0 s" in warnings[0]
