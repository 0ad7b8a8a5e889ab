"""Faults as contexts: they land or raise, they always heal, and what fits nothing is refused before anything is hit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Cut, Endpoints, Own
from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.views import GroupView, PartitionView
from factorylab.core.errors import LabError, UsageError
from factorylab.core.vocabulary import ProcessStatus
from factorylab.scenarios.fault_catalog import KindName
from factorylab.scenarios.faults.kind import ProcessState
from factorylab.scenarios.model import Topology
from factorylab.testing import kafka_cluster
from factorylab.testing.kafka_cluster import KafkaCluster, Landed, Topic

LEADER = "leader:orders/0"
ORDERS = [PartitionView(0, 2, 1, (1, 2, 3), (1, 2, 3)), PartitionView(1, -1, 1, (1,), ())]
TOPICS = {"orders": ORDERS, "__consumer_offsets": ORDERS}


@dataclass
class Lab:
    """Nodes that obey at once, but those that are deaf; `calls` is what was done, in order."""

    calls: list[str] = field(default_factory=list)
    states: dict[str, ProcessStatus] = field(default_factory=dict)
    undo: dict[int, str] = field(default_factory=dict)
    deaf: bool = False
    can: frozenset[KindName] = frozenset({"kill", "pause", "restart"})
    stands_at_steps: bool = True
    backend: str = "fake"
    home: Path = Path()
    endpoints: Endpoints = field(default_factory=lambda: Endpoints("here:1,here:2,here:3", ""))

    def inject(self, fault: int, node: str, kind: KindName, cut: Cut | None = None, own: Own | None = None) -> None:
        self.calls.append(f"{kind} {node}")
        self.undo[fault] = node
        if not self.deaf:
            self.states[node] = "paused" if kind == "pause" else "dead"

    def heal(self, fault: int) -> list[str]:
        node = self.undo.pop(fault, None)
        self.calls.append(f"heal {node}")
        if node:
            self.states[node] = "running"
        return []

    def status(self, node: str) -> ProcessStatus:
        return self.look(node).status

    def look(self, node: str) -> ProcessState:
        return ProcessState(0, 7, self.states.get(node, "running"))


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def kafka(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaCluster]:
    """A cluster of `lab` that says when it is waited for."""
    for asked in (Admin, OneBroker):
        monkeypatch.setattr(asked, "topics", lambda _: {"orders", "__consumer_offsets"})
        monkeypatch.setattr(asked, "partitions", lambda _, topic: TOPICS[topic])  # Kafka knows no topic without a name
    monkeypatch.setattr(Admin, "coordinator", lambda *_: 3)
    monkeypatch.setattr(Admin, "group", lambda _, name: GroupView("Stable" if name == "billing" else "Dead", ()))
    monkeypatch.setattr(Admin, "wait_full_isr", lambda _, topic, __: lab.calls.append(f"in sync {topic}"))
    monkeypatch.setattr(kafka_cluster.ready, "wait_ready", lambda *_: lab.calls.append("ready"))
    monkeypatch.setattr(kafka_cluster, "LANDS_WITHIN_S", 0.05)
    yield KafkaCluster(lab)  # type: ignore[arg-type]
    assert lab.undo == {} and set(lab.states.values()) <= {"running"}


WHOLE = ["ready", "in sync __consumer_offsets", "in sync orders"]


def test_a_fault_lands_heals_and_waits_for_the_replicas(kafka: KafkaCluster, lab: Lab) -> None:
    """The role is resolved, the body sees nodes and evidence, then it is healed, and all replicas are in sync."""
    with kafka.kill(LEADER) as landed:
        assert landed == Landed(("broker-2",), ("broker-2 is dead",)) and lab.status("broker-2") == "dead"
    assert lab.calls == ["kill broker-2", "heal broker-2", *WHOLE]


@pytest.mark.parametrize(
    ("error", "waits"), [(ValueError(), True), (KeyboardInterrupt(), False), (SystemExit(), False)]
)
def test_it_heals_whatever_its_body_raises(kafka: KafkaCluster, lab: Lab, error: BaseException, waits: bool) -> None:
    """A failed test waits for the replicas, since others follow; whoever is interrupted is not kept waiting."""
    with pytest.raises(type(error)), kafka.pause("follower:orders/0"):
        raise error
    assert lab.calls == ["pause broker-1", "heal broker-1", *(WHOLE if waits else [])]


def test_of_several_faults_each_heals_its_own(kafka: KafkaCluster, lab: Lab) -> None:
    """While an outer one holds nobody waits for replicas that cannot come."""
    with kafka.kill("broker:1"):
        with kafka.pause("coordinator:billing"):
            pass
        assert lab.status("broker-1") == "dead"
    assert lab.calls == ["kill broker-1", "pause broker-3", "heal broker-3", "heal broker-1", *WHOLE]


@pytest.mark.parametrize(
    ("held", "asked"), [(["broker:3"], 1), (["broker:1"], 2), (["broker:1", "broker:2"], 3), (["database"], 1)]
)
def test_who_plays_a_role_is_asked_of_a_broker_that_no_fault_holds(
    kafka: KafkaCluster, monkeypatch: pytest.MonkeyPatch, held: list[str], asked: int
) -> None:
    """A frozen one would not answer."""
    by: list[int] = []
    monkeypatch.setattr(OneBroker, "partitions", lambda broker, _: by.append(broker.number) or ORDERS)
    with ExitStack() as faults:
        for target in held:
            faults.enter_context(kafka.pause(target))
        by.clear()
        with kafka.pause(LEADER):
            assert set(by) == {asked}


def test_a_fault_that_does_not_land_raises_and_is_undone(kafka: KafkaCluster, lab: Lab) -> None:
    """The body does not run."""
    lab.deaf = True
    with pytest.raises(LabError, match=r"the kill of leader:orders/0 did not land: .*broker-2"), kafka.kill(LEADER):
        lab.calls.append("body")
    assert lab.calls[:2] == ["kill broker-2", "heal broker-2"] and "body" not in lab.calls


@pytest.mark.parametrize(
    ("target", "kind", "words"),
    [
        ("leader:nowhere/0", UsageError, "no topic 'nowhere'; it has: orders"),
        ("leader:orders/7", UsageError, "orders has no partition 7: take one of 0 to 1"),
        ("coordinator:biling", UsageError, "no consumer group 'biling'"),
        ("orders", UsageError, "'orders' is no target"),
        ("leader:orders/1", LabError, "did not land: partition 1 has no leader now"),
        ("follower:orders/1", LabError, "did not land: partition 1 has no leader now"),
    ],
)
def test_a_target_that_nobody_plays_hits_nobody(
    kafka: KafkaCluster, lab: Lab, target: str, kind: type[LabError], words: str
) -> None:
    """The error says why, and nothing is injected."""
    with pytest.raises(kind, match=words), kafka.kill(target):
        pass
    assert not any(call.startswith("kill") for call in lab.calls)


def test_a_lab_that_shares_a_network_refuses_to_cut_it(kafka: KafkaCluster) -> None:
    """The error names the setting of pytest."""
    with pytest.raises(UsageError, match="factorylab_isolated = true"), kafka.partition("broker:1"):
        pass


def test_where_the_machine_cannot_cut_it_the_test_is_skipped(lab: Lab) -> None:
    """With the lab's own reason."""
    asked: AbstractContextManager[Landed] = KafkaCluster(lab, "no program 'ip'").partition("broker:1")  # type: ignore[arg-type]
    with pytest.raises(pytest.skip.Exception, match="no program 'ip'"), asked:
        pass


def test_a_topic_is_made_and_dropped_whatever_happens(
    kafka: KafkaCluster, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a text that knows its cluster, and one whose name is taken is refused without being touched."""
    there = {"orders"}
    monkeypatch.setattr(Admin, "topics", lambda _: there)
    made: list[Topology] = []
    monkeypatch.setattr(Admin, "create_topics", lambda _, names, how: made.append(how) or there.update(names))
    monkeypatch.setattr(Admin, "delete_topics", lambda _, names: there.difference_update(names))
    with suppress(ValueError), kafka.topic("mine", partitions="2") as topic:
        assert isinstance(topic, Topic) and (topic, topic.bootstrap, there) == (
            "mine",
            kafka.bootstrap,
            {"mine", "orders"},
        )
        raise ValueError
    with pytest.raises(UsageError, match="there is a topic 'orders'"), kafka.topic("orders"):
        pass
    with pytest.raises(UsageError, match=r"profile: .*'unsafe'.*\n.*partition: there is no such key"):
        kafka.topic("other", partition=2, profile="unsafe").__enter__()
    assert there == {"orders"} and lab.calls == ["in sync mine"]
    assert [(how.partitions, how.replication, how.min_isr) for how in made] == [(2, 3, 2)]
