"""Questions to a cluster: what its answers mean, and Kafka's rule for the coordinator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from kafka.admin import ConfigResource
from kafka.protocol.metadata import CoordinatorType

from factorylab.cluster.admin import Admin, TopicIdentity, coordinating_partition, java_hash
from factorylab.cluster.librdkafka import client_config
from factorylab.cluster.share_coordinator import ShareCoordinator
from factorylab.cluster.views import GroupMember, GroupView, PartitionView
from factorylab.core.errors import LabError
from factorylab.execution.runner import Experiment

ONE, OTHER = str(UUID(int=1)), str(UUID(int=2))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("Hello, World!", 1498789909),
        ("polygenelubricants", -(2**31)),
        ("Aa", 2112),
        ("BB", 2112),
        ("The quick brown fox jumps over the lazy dog", -609428141),
    ],
)
def test_hashes_are_javas(text: str, value: int) -> None:
    """The hash is String.hashCode, a signed number of 32 bits."""
    assert java_hash(text) == value


def test_a_partition_is_full_with_its_leader_and_all_replicas() -> None:
    """In any order all replicas in sync are full; without one of them, or without a leader, it is not."""
    assert PartitionView(0, 1, 0, (1, 2, 3), (3, 1, 2)).full
    assert not PartitionView(0, 1, 0, (1, 2, 3), (1, 2)).full
    assert not PartitionView(0, -1, 0, (1, 2), (1, 2)).full


class Features:
    """An admin client of a cluster whose features have these levels; it refuses those of `stubborn`."""

    def __init__(self, levels: dict[str, int], stubborn: str = "") -> None:
        self.levels, self.stubborn, self.asked = levels, stubborn, dict[str, int]()

    def describe_features(self) -> dict[str, dict[str, tuple[int, int]]]:
        told = {name: {"supported": (0, 33), "finalized": (level, level)} for name, level in self.levels.items()}
        return told | {"kraft.version": {"supported": (0, 1)}}

    def update_features(self, wanted: dict[str, int]) -> dict[str, str]:
        self.asked = wanted
        self.levels.update({name: level for name, level in wanted.items() if name != self.stubborn})
        return {name: "a broker cannot" if name == self.stubborn else "OK" for name in wanted}


def admin_of(client: object, monkeypatch: pytest.MonkeyPatch) -> Admin:
    monkeypatch.setattr(Admin, "_connected", lambda _: client)
    return Admin("127.0.0.1:1")


def test_features_are_raised_as_far_as_the_brokers_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those are asked for that the cluster uses below their highest level; the answer has both levels."""
    client = Features({"metadata.version": 30, "share.version": 33})
    assert admin_of(client, monkeypatch).raise_features() == "metadata.version 30 → 33"
    assert client.asked == {"metadata.version": 33}
    assert "as high as it can be" in admin_of(client, monkeypatch).raise_features()


def test_a_feature_that_is_refused_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that cannot follow is told with the feature."""
    with pytest.raises(LabError, match=r"metadata\.version: a broker cannot"):
        admin_of(Features({"metadata.version": 30}, "metadata.version"), monkeypatch).raise_features()


def test_what_lags_is_found_in_every_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing replica and a missing leader count, inner topics included."""
    full = {"partition_index": 0, "leader_id": 1, "isr_nodes": [2, 1], "replica_nodes": [1, 2]}
    short, headless = full | {"isr_nodes": [1]}, full | {"leader_id": -1}
    topics = [("a", [full]), ("b", [full, short | {"partition_index": 1}]), ("__inner", [headless])]
    client = SimpleNamespace(describe_topics=lambda: [{"name": name, "partitions": held} for name, held in topics])
    assert admin_of(client, monkeypatch).out_of_sync() == ["b/1", "__inner/0"]


def test_owners_are_by_partition() -> None:
    """Each partition has its member's name; a member without partitions owns none."""
    group = GroupView("Stable", (GroupMember("a", (0, 2)), GroupMember("b", (1,)), GroupMember("c", ())))
    assert group.owners == {0: "a", 2: "a", 1: "b"}


def test_a_client_finds_a_cluster_again_soon() -> None:
    """After a fault a client waits at most a second before it tries a broker again."""
    assert client_config("127.0.0.1:1", "x")["reconnect.backoff.max.ms"] == 1000


@pytest.mark.parametrize(
    ("group", "partition"),
    [("hello", 22), ("fox", 33), ("The quick brown fox jumps over the lazy dog", 41), ("polygenelubricants", 0)],
)
def test_the_coordinator_follows_from_the_groups_name(group: str, partition: int) -> None:
    """The partition of the offsets topic is the absolute value of Java's hash (its smallest counts as 0), modulo 50."""
    assert coordinating_partition(group, 50) == partition


class ForgetfulBroker:
    """An admin client of a broker that hears of a topic only after the first question about it."""

    def __init__(self) -> None:
        self.asked = 0
        self.altered: list[dict[str, str]] = []

    def alter_configs(self, resources: list[ConfigResource], **_: object) -> dict[str, dict[str, str]]:
        self.asked += 1
        if self.asked == 1:
            return {"topic": {"t": "[Error 3] UnknownTopicOrPartitionError"}}
        self.altered.append(resources[0].configs)
        return {"topic": {"t": "OK"}}

    def describe_configs(self, *_: object, **__: object) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
        self.asked += 1
        old, new = ({"retention.ms": {"value": value, "is_sensitive": False}} for value in ("604800000", "8000"))
        return {"topic": {"t": ({}, old, new)[min(self.asked, 3) - 1]}}


def test_a_broker_that_knows_no_new_topic_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention that was refused is set again, and a configuration that came back empty is no configuration."""
    setting, reading = ForgetfulBroker(), ForgetfulBroker()
    monkeypatch.setattr(Admin, "_connected", lambda _: setting)
    changed = Admin("nowhere:1").retain("t", 8)
    assert setting.altered == [changed] == [{"retention.ms": "8000", "segment.ms": "2000"}]
    monkeypatch.setattr(Admin, "_connected", lambda _: reading)
    assert Admin("nowhere:1").topic_config("t") == {"retention.ms": "604800000"}


def test_a_configuration_is_read_until_it_has_what_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has not heard of a new retention yet tells the old one: that is not what is recorded."""
    reading = ForgetfulBroker()
    monkeypatch.setattr(Admin, "_connected", lambda _: reading)
    assert Admin("nowhere:1").topic_config("t", {"retention.ms": "8000"}) == {"retention.ms": "8000"}


@pytest.mark.parametrize(
    ("now", "told"), [(TopicIdentity(ONE, 3), 0), (TopicIdentity(OTHER, 3), 1), (TopicIdentity(ONE, 4), 1)]
)
def test_a_topic_that_was_changed_during_a_run_is_a_problem_of_it(now: TopicIdentity, told: int) -> None:
    """Made again or grown, it is not the topic that the run made, and both are named; as it was, nothing is said."""
    run = SimpleNamespace(
        names=SimpleNamespace(sensors="t"),
        topic=TopicIdentity(ONE, 3),
        admin=SimpleNamespace(identity=lambda _topic: now),
        problems=list[str](),
    )
    assert Experiment._check_topic(run) == now.partitions  # type: ignore[arg-type]
    assert len(run.problems) == told
    assert all(f"the id {ONE}: it has {now.partitions} and {now.topic_id}." in problem for problem in run.problems)


def test_a_share_is_asked_for_as_kafka_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Group, id of the topic as Kafka writes it, and partition are the key; the answer's broker keeps its state."""
    asked: list[object] = []
    told = SimpleNamespace(coordinators=[SimpleNamespace(error_code=0, key="", node_id=3)])

    def ask(_self: object, _what: str, request: Any, read: Any) -> object:
        asked.append((request.key_type, request.coordinator_keys))
        return read(told)

    monkeypatch.setattr(ShareCoordinator, "_ask", ask)
    assert ShareCoordinator("nowhere:1", "g").keeper(ONE, 2) == 3
    assert asked == [(CoordinatorType.SHARE, ["g:AAAAAAAAAAAAAAAAAAAAAQ:2"])]
