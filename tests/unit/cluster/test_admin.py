"""Questions to a cluster: what its answers mean, and Kafka's rule for the coordinator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka.admin import ConfigResource

from factorylab.cluster.admin import Admin, TopicIdentity, coordinating_partition, java_hash
from factorylab.cluster.librdkafka import client_config
from factorylab.cluster.views import GroupMember, GroupView, PartitionView
from factorylab.execution.runner import Experiment


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
    ("now", "told"), [(TopicIdentity("a", 3), 0), (TopicIdentity("b", 3), 1), (TopicIdentity("a", 4), 1)]
)
def test_a_topic_that_was_changed_during_a_run_is_a_problem_of_it(now: TopicIdentity, told: int) -> None:
    """Made again or grown, it is not the topic that the run made, and both are named; as it was, nothing is said."""
    run = SimpleNamespace(
        names=SimpleNamespace(sensors="t"),
        topic=TopicIdentity("a", 3),
        admin=SimpleNamespace(identity=lambda _topic: now),
        problems=list[str](),
    )
    assert Experiment._check_topic(run) == now.partitions  # type: ignore[arg-type]
    assert len(run.problems) == told
    assert all(f"the id a: it has {now.partitions} and {now.topic_id}." in problem for problem in run.problems)
