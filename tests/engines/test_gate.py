"""Many pass a gate together, or one passes it alone."""

from __future__ import annotations

import asyncio

from batchmill.engines.gate import Gate


class Passing:
    """Coroutines that pass a gate, and what was seen of them."""

    def __init__(self):
        self.gate = Gate()
        self.seen = []
        self.go_on = asyncio.Event()

    async def together(self, name):
        async with self.gate.together():
            self.seen.append(name)
            await self.go_on.wait()

    async def alone(self, name):
        async with self.gate.alone():
            self.seen.append(name)
            await self.go_on.wait()


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def test_one_alone_waits_for_those_inside_and_holds_up_those_who_come_later():
    async def scenario():
        passing = Passing()
        async with asyncio.TaskGroup() as group:
            group.create_task(passing.together("a"))
            group.create_task(passing.together("b"))
            await settle()
            group.create_task(passing.alone("alone"))
            await settle()
            group.create_task(passing.together("later"))
            await settle()
            assert ["a", "b"] == passing.seen
            passing.go_on.set()
            await settle()
        return passing.seen

    assert ["a", "b", "alone", "later"] == asyncio.run(scenario())


def test_who_gives_up_waiting_to_be_alone_lets_the_others_pass():
    async def scenario():
        passing = Passing()
        first = asyncio.create_task(passing.together("a"))
        await settle()
        waiting = asyncio.create_task(passing.alone("alone"))
        await settle()
        waiting.cancel()
        later = asyncio.create_task(passing.together("later"))
        await settle()
        passing.go_on.set()
        await asyncio.gather(first, later)
        return passing.seen

    assert ["a", "later"] == asyncio.run(scenario())
