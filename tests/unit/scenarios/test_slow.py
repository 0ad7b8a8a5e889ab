"""A node that is stopped in turns."""

from __future__ import annotations

import asyncio

import pytest

from factorylab.scenarios.faults import slow
from factorylab.scenarios.faults.kind import ProcessState


class Node:
    """A node whose process uses both CPUs whenever it runs; `pid` is that of its latest process."""

    def __init__(self) -> None:
        self.pid, self.running, self.cpu_s = 1, True, 0.0
        self.stopped: list[int] = []  # by pid
        self.looks = 0

    def look(self) -> ProcessState:
        self.looks += 1
        self.cpu_s += 2 * slow.PERIOD_S if self.running else 0
        return ProcessState(0, self.pid, "running" if self.running else "paused", self.cpu_s)

    def stop(self) -> None:
        self.running = False
        self.stopped.append(self.pid)

    def go_on(self) -> None:
        self.running = True


def test_a_node_that_is_started_anew_while_it_has_no_slice_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What used more than its share has no slice for some periods. A process that takes its place then is stopped all
    the same, and does not run on for as long as the debt grows."""
    monkeypatch.setattr(slow, "PERIOD_S", 0.005)
    node = Node()

    async def until(looks: int) -> None:
        while node.looks < looks:
            await asyncio.sleep(0)

    async def held() -> None:
        holding = asyncio.create_task(slow._stop_in_turns(node))  # type: ignore[arg-type]
        await until(1)
        node.cpu_s += 1000  # far beyond its share: no slice from the next look on
        await until(2)
        node.pid, node.running = 2, True
        await asyncio.sleep(10 * slow.PERIOD_S)
        holding.cancel()

    asyncio.run(asyncio.wait_for(held(), 30))
    assert 2 in node.stopped and not node.running
