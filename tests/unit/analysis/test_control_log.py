"""Who was in charge, by the brokers' own lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.analysis.control_log import ControlEvent, control_events, understood
from tests.support import control_lines as line
from tests.support.histories import History, at_ns, healthy

UPDATED = line.at(
    2,
    "[broker-2-to-controller-alter-partition-channel-manager] kafka.cluster.Partition - [Partition sensor-data-64c434-2"
    " broker=2] ISR updated to 2,3  and version updated to 2",
)
IMMEDIATE = line.at(
    2,
    "[quorum-controller-3-event-handler] org.apache.kafka.controller.BrokerHeartbeatManager - [QuorumController id=3] "
    "Unfenced broker 2 has requested and been granted an immediate shutdown.",
)
LEADERLESS = line.at(
    2,
    "[quorum-controller-1-event-handler] org.apache.kafka.controller.QuorumController - [QuorumController id=1] In the "
    "new epoch 3, the leader is (none).",
)


def told(folder: Path, *lines: str, node: str = "broker-2") -> list[ControlEvent]:
    return control_events(logged(folder, {node: list(lines)}).run())


def logged(folder: Path, logs: dict[str, list[str]]) -> History:
    history = healthy(folder)
    history.made_of |= {"topics": {"sensor-data": line.TOPIC}, "group": line.GROUP}
    history.logs = logs
    return history


@pytest.mark.parametrize(
    ("text", "kind", "broker", "partition", "epoch", "isr"),
    [
        (line.active(2, 2), "active", 2, -1, -1, ()),
        (line.fenced(2, 3), "fenced", 3, -1, -1, ()),
        (line.registered(2, 3), "registered", 3, -1, -1, ()),
        (line.leaving(2, 2), "leaving", 2, -1, -1, ()),
        (IMMEDIATE, "leaving", 2, -1, -1, ()),
        (line.unfenced(2, 3), "unfenced", 3, -1, -1, ()),
        (line.leads(2, 1, 0, 1, "1"), "leader", -1, 0, 1, (1,)),
        (line.goes_on(2, 1, 1, 0, "3,1"), "isr", -1, 1, 0, (1, 3)),
        (UPDATED, "isr", -1, 2, -1, (2, 3)),
    ],
)
def test_real_lines_are_understood(
    tmp_path: Path, text: str, kind: str, broker: int, partition: int, epoch: int, isr: tuple[int, ...]
) -> None:
    """Each kind of event is known by the line that Kafka writes, with its time to the millisecond."""
    assert told(tmp_path, text) == [ControlEvent(at_ns(2), "broker-2", kind, broker, partition, epoch, isr)]  # type: ignore[arg-type]


def test_a_member_that_failed_is_known_by_its_name(tmp_path: Path) -> None:
    """The line of the coordinator that removes a member names it, with its client id in front."""
    (event,) = told(tmp_path, line.removed(2, "processor-0"))
    assert event.kind == "removed" and event.member.startswith("processor-0-")


def test_other_lines_groups_and_topics_are_passed_over(tmp_path: Path) -> None:
    """An election without a winner, another group's member and another topic's leader are no events."""
    others = (
        line.removed(2, "processor-0").replace(line.GROUP, "other"),
        line.leads(2, 1, 0, 1, "1").replace("64", "99"),
    )
    assert told(tmp_path, LEADERLESS, *others) == []


def test_what_was_cut_off_is_passed_over_and_the_rest_is_read(tmp_path: Path) -> None:
    """A line that ends in the middle, a stack trace and bytes that are no text hide no other line."""
    whole = line.fenced(2, 3)
    assert [e.kind for e in told(tmp_path, whole[:90], "\tat java.base/java.lang.Thread.run", "\x00\ufffd", whole)] == [
        "fenced"
    ]


def test_lines_of_several_brokers_come_in_the_order_of_time(tmp_path: Path) -> None:
    """The brokers' logs are one list by time."""
    history = logged(tmp_path, {"broker-1": [line.fenced(4, 3)], "broker-2": [line.active(2, 2), line.fenced(9, 1)]})
    assert [(e.node, e.kind) for e in control_events(history.run())] == [
        ("broker-2", "active"), ("broker-1", "fenced"), ("broker-2", "fenced"),
    ]  # fmt: skip


def test_only_known_shapes_are_understood() -> None:
    """What recordings keep is what the anatomy reads."""
    assert understood(line.fenced(2, 3)) and not understood(LEADERLESS) and not understood("no stamp")
