"""What happened between two moments."""

from __future__ import annotations

from factorylab.operations.live.marks import Marks
from factorylab.operations.live.moments import FaultShown, Moment, NodeShown, PartitionShown


def moment(at_s: float, **given: object) -> Moment:
    return Moment(at_s, "up", "a run", **given)  # type: ignore[arg-type]


def texts(marks: Marks, now: Moment) -> list[str]:
    return [f"{mark.at_s:g} {mark.text}" for mark in marks.of(now).marks]


def test_a_fault_is_marked_when_it_began_and_when_it_is_healed() -> None:
    """The mark of a fault stands where it was injected, not where it was first seen."""
    marks = Marks()
    assert texts(marks, moment(0)) == []
    assert texts(marks, moment(10, faults=[FaultShown("broker-1", "kill", held_s=2)])) == ["8 kill broker-1"]
    assert texts(marks, moment(11, faults=[FaultShown("broker-1", "kill", held_s=3)])) == []
    assert texts(marks, moment(12)) == ["12 healed: kill broker-1"]


def test_owners_that_changed_while_nobody_told_them_are_a_rebalance() -> None:
    """An owner that is not known in between is compared with the one before."""
    marks = Marks()
    for at_s, owner in ((0, "a"), (1, None), (2, None)):
        assert texts(marks, moment(at_s, partitions=[PartitionShown(0, owner=owner)])) == []
    assert texts(marks, moment(3, partitions=[PartitionShown(0, owner="b")])) == ["3 owners: 0 → b"]


def test_a_new_leader_is_marked_and_none_as_well() -> None:
    """A leader that is not known is no news; one that is another than the last known one is, and so is nobody."""
    marks = Marks()
    told = [
        texts(marks, moment(at_s, partitions=[PartitionShown(0, leader)]))
        for at_s, leader in enumerate((2, None, 2, -1, 3))
    ]
    assert told == [[], [], [], ["3 partition 0 has no leader"], ["4 partition 0 is led by broker-3"]]


def test_a_node_is_marked_when_it_dies_and_not_when_it_has_done_its_work() -> None:
    """A worker that was told to stop has ended; that is no news."""
    marks = Marks()
    nodes = [NodeShown("broker-1", "broker", "running"), NodeShown("fleet-0", "fleet", "running")]
    assert texts(marks, moment(0, nodes=nodes)) == []
    now = moment(1, nodes=[NodeShown("broker-1", "broker", "dead"), NodeShown("fleet-0", "fleet", "ended")])
    assert texts(marks, now) == ["1 broker-1 is dead"]
