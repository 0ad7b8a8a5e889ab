"""A broker is demoted on a real cluster, and has back what it led."""

from __future__ import annotations

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Own
from factorylab.cluster.local.backend import LocalCluster
from factorylab.scenarios.model import Topology

TOPIC, OTHER = "demoted", "not-demoted"
FAULT = 4711


def test_demoted_and_reinstated(cluster: LocalCluster, admin: Admin) -> None:
    """Another replica leads each partition that the broker led, in a later epoch; healed, leaders and the order of the
    replicas are as they were, and those of another topic never changed."""
    admin.create_topics([TOPIC, OTHER], Topology(profile="safe"))
    for topic in (TOPIC, OTHER):
        admin.wait_full_isr(topic, 60)
    before, others = admin.partitions(TOPIC), admin.partitions(OTHER)
    led = {view.partition: view for view in before if view.leader == before[0].leader}
    own = Own(TOPIC, "nobody", {partition: view.replicas for partition, view in led.items()})
    cluster.inject(FAULT, f"broker-{before[0].leader}", "demote", own=own)
    try:
        held = {view.partition: view for view in admin.partitions(TOPIC)}
    finally:
        healed = cluster.heal(FAULT)
    for partition, view in led.items():
        assert held[partition].leader != view.leader and held[partition].epoch > view.epoch
        assert held[partition].leader == held[partition].replicas[0] and held[partition].full
    after = admin.partitions(TOPIC)
    assert [(v.leader, v.replicas) for v in after] == [(v.leader, v.replicas) for v in before]
    assert healed == [f"gave broker-{before[0].leader} back what it led"] and admin.partitions(OTHER) == others
