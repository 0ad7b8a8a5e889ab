"""A probe of a cluster whose answers a test decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event

import pytest

from factorylab.cluster.views import GroupMember, GroupView, PartitionView
from factorylab.core.errors import WaitTimeout
from factorylab.core.waiting import wait_until
from factorylab.execution import probe as probing
from factorylab.execution.probe import Probe, ProbeConfig
from factorylab.history.journal import Journal, read_journal
from factorylab.history.tables import Row

PARTITIONS = 2


class FakeClient:
    """Answers at once what the test sets: of a group's coordinator, or of broker `number` alone. None is no answer."""

    def __init__(self, answers: dict[str, object], number: int = 0) -> None:
        self.answers, self.number = answers, number

    def _give(self, name: str) -> object:
        answer = self.answers.get(name)
        if answer is None:
            raise WaitTimeout("no broker answered")
        return answer

    def partitions(self, topic: str) -> object:
        return self._give(f"broker-{self.number}")

    def view(self) -> object:
        return self._give("group")

    def committed(self, topic: str) -> object:
        return self._give("committed")

    def own_ends(self, topic: str, partitions: Iterable[int]) -> dict[int, object]:
        self._give(f"broker-{self.number}")
        return {p: self.answers[f"end-{p}"] for p in partitions if self.answers[f"end-{p}"] is not None}


def views(epochs: tuple[int, int] = (0, 1), leaders: tuple[int, int] = (1, 2)) -> list[PartitionView]:
    """Two partitions as one broker sees them; in sync is the leader alone."""
    return [
        PartitionView(p, leader=leaders[p], epoch=epochs[p], replicas=(1, 2), isr=(leaders[p],))
        for p in range(PARTITIONS)
    ]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """All questions answered: broker 1 leads partition 0, broker 2 partition 1, which has no committed offset."""
    found: dict[str, object] = {
        "broker-1": views(),
        "broker-2": views(),
        "group": GroupView("Stable", (GroupMember("processor-0", (0, 1)),)),
        "committed": {0: 7},
        "end-0": 10,
        "end-1": 3,
    }
    monkeypatch.setattr(probing, "Coordinator", lambda *_, **__: FakeClient(found))
    monkeypatch.setattr(probing, "OneBroker", lambda _, number, *__: FakeClient(found, number))
    monkeypatch.setattr(probing, "PERIOD_S", 0.01)
    return found


def sampled(folder: Path, ready: Callable[[Probe], object], *, network: bool = False) -> list[Row]:
    """The rows of one tick, taken as soon as `ready`."""
    stop = Event()
    config = ProbeConfig(
        bootstrap="x:1,x:2",
        topic="t",
        group="g",
        partitions=PARTITIONS,
        home=folder / "none",
        journal_dir=folder,
        network=network,
    )
    with Journal(folder, "probe", "probe") as journal:
        probe = Probe(config, journal, stop)
        wait_until(lambda: ready(probe), what="the first answers", timeout_s=20)
        probe.sample()
        stop.set()
    return list(read_journal(folder, "probe"))
