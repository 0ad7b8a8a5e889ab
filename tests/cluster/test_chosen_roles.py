"""Roles are arranged on a real cluster: leaderships move, and the broker that is asked for is there."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition

from factorylab.cluster.admin import OFFSETS_TOPIC, Admin
from factorylab.cluster.faults.arrange import arrange
from factorylab.cluster.faults.targets import Roles, resolve
from factorylab.cluster.librdkafka import client_config
from factorylab.scenarios.model import Topology

TOPIC = GROUP = "chosen-roles"


def have_a_coordinator(bootstrap: str) -> None:
    """The offsets topic comes with the first question of a group."""
    consumer = Consumer({**client_config(bootstrap, "chosen"), "group.id": GROUP})
    consumer.committed([TopicPartition(TOPIC, 0)], timeout=60)
    consumer.close()


def test_every_combination_of_roles_is_arranged(admin: Admin) -> None:
    """Whatever controller and coordinator are at first, each target finds its broker, by what the cluster says itself;
    all replicas are in sync, as many as before, and the controller is where it was. Over 10 s: five elections each."""
    admin.create_topics([TOPIC], Topology(profile="factory"))
    admin.wait_full_isr(TOPIC, 60)
    have_a_coordinator(admin.bootstrap)
    controller = admin.controller()
    for leads in (True, False):
        for controls in (True, False):
            for coordinates in (True, False):
                also = f"{'+' if controls else '-'}controller{'+' if coordinates else '-'}coordinator"
                target = f"leader:0{also}" if leads else f"follower:0-leader{also}"
                arrange(admin, target, TOPIC, GROUP)
                (node,) = resolve(target, Roles(admin, TOPIC, GROUP))
                number = int(node.removeprefix("broker-"))
                views = admin.partitions(TOPIC)
                assert (number == admin.controller() == controller) == controls
                assert (number == admin.coordinator(GROUP)) == coordinates
                assert (number in {view.leader for view in views}) == leads and number in views[0].replicas
                assert all(view.full and len(view.replicas) == 2 for view in views)
    admin.wait_full_isr(OFFSETS_TOPIC, 60)
