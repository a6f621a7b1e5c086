"""Whatever happens in whatever order: nobody hangs, nobody gets another's result."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from batchmill.flow.batcher import (
    AsyncBatcher,
    BatcherStopped,
    BatchFailed,
    QueueFullException,
    WrongResults,
)
from virtual_loop import VirtualLoop

STEPS = 100
RUNS = 120
"""120 runs of up to 100 steps, at an average above 90: more than 10,000."""

Item = tuple[int, int, int, str]
"""Number, group, cost, what happens to it: "fine", "bad" or "poison"."""


class Bad(Exception):
    """One item's own exception."""


class Poison(Exception):
    """Raised by a whole batch."""


class Watched(AsyncBatcher[Item, int]):
    """Breaks the test when a batch breaks a rule."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.run_s = 0.0
        self.mood = "good"
        self.running = 0
        self.wrongs: list[str] = []
        self.deserted: set[int] = set()

    def check(self, batch: list[Item]) -> None:
        limit, slots = self._pump.settings.limits, self.concurrency
        numbers = [number for number, *_ in batch]
        self.expect(0 < len(batch) <= limit.max_batch_size, f"{len(batch)} items")
        self.expect(len({group for _, group, *_ in batch}) == 1, "groups are mixed")
        cost = max(cost for *_, cost, _ in batch) * len(batch)
        if not limit.padded:
            cost = sum(cost for *_, cost, _ in batch)
        self.expect(cost <= limit.max_batch_cost, f"it costs {cost}")
        self.expect(self.running <= slots, f"{self.running} at a time")
        self.expect(not self.deserted.intersection(numbers), "an item was run for nobody")

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrongs.append(otherwise)

    async def process_batch(self, batch: list[Item]) -> list[Any]:
        self.running += 1
        try:
            self.check(batch)
            await asyncio.sleep(self.run_s)
            return self.answers(batch)
        finally:
            self.running -= 1

    def answers(self, batch: list[Item]) -> list[Any]:
        if self.mood == "short":
            return [0] * (len(batch) - 1)
        if self.mood == "cancelled":
            raise asyncio.CancelledError
        if any(kind == "poison" for *_, kind in batch):
            raise Poison
        return [Bad(n) if kind == "bad" else n for n, _, _, kind in batch]


ALLOWED = (Bad, Poison, TimeoutError, BatcherStopped, BatchFailed, WrongResults)

OPTIONS = st.fixed_dictionaries({
    "max_batch_size": st.integers(1, 5),
    "max_queue_time": st.sampled_from([0, 0.01, 1.0, 3600.0, "auto"]),
    "concurrency": st.integers(1, 3),
    "max_queue_size": st.sampled_from([-1, 3, 10]),
    "max_batch_cost": st.integers(5, 12),
    "padded": st.booleans(),
    "when_full": st.sampled_from(["raise", "wait"]),
    "priorities": st.booleans(),
    "dispatch": st.sampled_from(["due", "freed", "idle"]),
    "split": st.booleans(),
    "cancel_abandoned": st.booleans(),
    "keep_contexts": st.booleans(),
})  # fmt: skip
PLAIN = ("max_batch_cost", "padded", "priorities")


class AnyOrder(RuleBasedStateMachine):
    """Arrivals, departures, time-outs, failures, changes of pace, stops; time stands still."""

    plain = False

    @initialize(options=OPTIONS)
    def begin(self, options: dict[str, Any]) -> None:
        if self.plain:
            options = {k: v for k, v in options.items() if k not in PLAIN}
        else:
            options |= {"group_by": lambda item: item[1], "cost": lambda item: item[2]}
        if options["max_queue_time"] == "auto":
            options["dispatch"] = "freed"
        self.loop = VirtualLoop(patience_s=0)
        self.batcher = self.within(self.made(options))
        self.calls: dict[int, asyncio.Future[Any]] = {}
        self.items: dict[int, Item] = {}
        self.stops: list[asyncio.Task[None]] = []
        self.left: set[int] = set()

    async def made(self, options: dict[str, Any]) -> Watched:
        return Watched(**options)

    def within(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    @rule(
        group=st.integers(0, 2),
        cost=st.integers(0, 5),
        kind=st.sampled_from(["fine", "fine", "fine", "bad", "poison"]),
        priority=st.integers(-2, 2),
        timeout=st.sampled_from([None, None, 0.5, 5.0]),
        how=st.sampled_from(["process", "submit"]),
        copies=st.integers(1, 4),
    )
    def arrive(self, group, cost, kind, priority, timeout, how, copies) -> None:
        if self.plain:
            group = cost = 0
        if not self.batcher._pump.settings.priorities:
            priority = 0

        async def calls() -> None:
            for _ in range(copies):
                number = len(self.items)
                item = self.items[number] = (number, group, cost, kind)
                options = {"priority": priority, "timeout": timeout}
                if how == "process":
                    self.calls[number] = asyncio.create_task(self.batcher.process(item, **options))
                    continue
                with suppress(QueueFullException, BatcherStopped):
                    self.calls[number] = self.batcher.submit(item, **options)

        self.within(calls())

    @rule(data=st.data())
    @precondition(lambda self: any(not call.done() for call in self.calls.values()))
    def leave(self, data) -> None:
        waiting = [number for number, call in self.calls.items() if not call.done()]
        number = data.draw(st.sampled_from(waiting))

        async def cancel() -> None:
            if self.is_known_to_wait(self.calls[number]):
                self.batcher.deserted.add(number)
            self.calls[number].cancel()

        self.within(cancel())
        self.left.add(number)

    def is_known_to_wait(self, call: asyncio.Future[Any]) -> bool:
        """Whether the item is certainly in no batch that has gone out."""
        gone_out = {caller for running in self.batcher._pump.running for caller in running.callers}
        return not isinstance(call, asyncio.Task) and call not in gone_out

    @rule(run_s=st.sampled_from([0, 0.1, 2.0]))
    def change_pace(self, run_s) -> None:
        self.batcher.run_s = run_s

    @rule(mood=st.sampled_from(["good", "good", "good", "short", "cancelled"]))
    def change_mood(self, mood) -> None:
        self.batcher.mood = mood

    @rule(seconds=st.sampled_from([0, 0.005, 0.01, 0.1, 1.0, 4.0]))
    def wait(self, seconds) -> None:
        self.within(asyncio.sleep(seconds))

    @rule(force=st.booleans(), timeout=st.sampled_from([None, 0.05, 1.0]))
    def stop(self, force, timeout) -> None:
        async def begin() -> None:
            self.stops.append(asyncio.create_task(self.batcher.stop(force, timeout)))
            await asyncio.sleep(0)

        self.within(begin())

    @rule()
    @precondition(lambda self: self.stops)
    def start_again(self) -> None:
        async def start() -> None:
            await asyncio.gather(*self.stops)
            await self.batcher.start()

        self.within(start())
        self.stops.clear()

    @invariant()
    def no_rule_is_broken(self) -> None:
        if hasattr(self, "batcher"):
            assert self.batcher.wrongs == []
            self.answers_are_right()

    def answers_are_right(self) -> None:
        for number, call in list(self.calls.items()):
            if call.done():
                del self.calls[number]
                self.answer_is_right(number, call)

    def answer_is_right(self, number: int, call: asyncio.Future[Any]) -> None:
        if call.cancelled():
            assert number in self.left
        elif (error := call.exception()) is not None:
            assert isinstance(error, (*ALLOWED, QueueFullException)), repr(error)
            assert not isinstance(error, Bad) or error.args == (number,)
        else:
            assert call.result() == number
            assert self.items[number][3] == "fine"

    def teardown(self) -> None:
        if not hasattr(self, "batcher"):
            return
        self.within(self.end())
        assert all(call.done() for call in self.calls.values()), "a caller hangs"
        self.no_rule_is_broken()
        stats = self.batcher.stats()
        assert (stats.waiting, stats.running) == (0, 0)
        assert self.batcher._pump._busy == 0
        self.loop.close()

    async def end(self) -> None:
        """Everything ends if it is only waited for: queues run dry by themselves."""
        self.batcher.run_s = min(self.batcher.run_s, 0.1)
        await asyncio.sleep(3600 * 3)
        assert all(call.done() for call in self.calls.values()), "a caller hangs"
        await asyncio.gather(*self.stops)
        await self.batcher.stop()


class AnyOrderPlain(AnyOrder):
    plain = True


machine_settings = settings(
    max_examples=RUNS,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
AnyOrder.TestCase.settings = machine_settings
AnyOrderPlain.TestCase.settings = machine_settings
TestAnyOrder = AnyOrder.TestCase
TestAnyOrderPlain = AnyOrderPlain.TestCase
