"""Whom leaderships are given to, and that they come back."""

from __future__ import annotations

import pytest

from factorylab.cluster.base import Own
from factorylab.cluster.requests.leadership import demote, led_by_another, reinstate
from factorylab.cluster.views import PartitionView
from factorylab.core.errors import LabError


class Cluster:
    """Three partitions in memory; it notes what is placed."""

    def __init__(self, *views: PartitionView) -> None:
        self.views, self.placed, self.there = views, list[dict[int, tuple[int, ...]]](), {"sensor-data"}

    def topics(self) -> set[str]:
        return self.there

    def partitions(self, topic: str) -> list[PartitionView]:
        return list(self.views)

    def place(self, topic: str, replicas: dict[int, tuple[int, ...]]) -> None:
        self.placed.append(replicas)

    def wait_placed(self, topic: str, replicas: dict[int, tuple[int, ...]], timeout_s: float) -> None:
        assert self.placed[-1] == replicas


@pytest.mark.parametrize(
    ("replicas", "leader", "isr", "order"),
    [
        ((1, 2), 1, (1, 2), (2, 1)),
        ((1, 2, 3), 1, (1, 2, 3), (2, 1, 3)),
        ((1, 2, 3), 1, (1, 3), (3, 1, 2)),
        ((1, 2, 3), 3, (1, 2, 3), (1, 2, 3)),
        ((1, 2, 3), 2, (1, 2), (1, 2, 3)),
    ],
)
def test_the_next_in_sync_leads(
    replicas: tuple[int, ...], leader: int, isr: tuple[int, ...], order: tuple[int, ...]
) -> None:
    """The same replicas, of which the next one after the leader that is in sync comes first."""
    assert led_by_another(PartitionView(0, leader, 5, replicas, isr), replicas) == order


def test_nobody_else_is_in_sync() -> None:
    """Where only the leader is in sync nothing is moved, of no partition."""
    whole, alone = PartitionView(0, 1, 5, (1, 2), (1, 2)), PartitionView(1, 1, 5, (1, 2), (1,))
    cluster = Cluster(whole, alone)
    with pytest.raises(LabError, match="no other replica of partition 1 is in sync"):
        demote(cluster, "broker-1", Own("sensor-data", "sensor-processors", {0: (1, 2), 1: (1, 2)}))  # type: ignore[arg-type]
    with pytest.raises(LabError, match="broker-3 leads no partition of sensor-data"):
        demote(cluster, "broker-3", Own("sensor-data", "sensor-processors"))  # type: ignore[arg-type]
    assert cluster.placed == []


def test_given_back_as_it_was() -> None:
    """The former order comes back; of a topic that is gone there is nothing to give back."""
    cluster, own = Cluster(PartitionView(0, 1, 5, (1, 2), (1, 2))), Own("sensor-data", "sensor-processors", {0: (1, 2)})
    demote(cluster, "broker-1", own)  # type: ignore[arg-type]
    reinstate(cluster, "broker-1", own)  # type: ignore[arg-type]
    assert cluster.placed == [{0: (2, 1)}, {0: (1, 2)}]
    cluster.there = set()
    reinstate(cluster, "broker-1", own)  # type: ignore[arg-type]
    assert len(cluster.placed) == 2
