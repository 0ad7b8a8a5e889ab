"""One broker asked alone: it answers itself or nobody does."""

from __future__ import annotations

import pytest

from factorylab.cluster.admin import Admin
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.one_broker import OneBroker
from factorylab.core.errors import WaitTimeout
from factorylab.scenarios.model import Topology


def test_no_other_broker_answers_for_a_frozen_one(cluster: LocalCluster, admin: Admin) -> None:
    """A client that has heard of all brokers asks its own alone: frozen, it stays silent, others answer."""
    bootstrap = cluster.endpoints.bootstrap
    admin.create_topics(["alone"], Topology(profile="safe"))
    admin.wait_full_isr("alone", 60)
    brokers = {number: OneBroker(bootstrap, number, deadline_s=20, answer_s=2) for number in (1, 2, 3)}
    told = [brokers[number].partitions("alone") for number in brokers]
    assert told[0] == told[1] == told[2] and len(told[0]) == 3
    familiar = OneBroker(bootstrap, 2, deadline_s=0, answer_s=1)
    assert familiar.partitions("alone") == told[0]
    try:
        cluster.inject(1, "broker-2", "pause")
        hasty = OneBroker(bootstrap, 2, deadline_s=0, answer_s=1)
        with pytest.raises(WaitTimeout):
            hasty.partitions("alone")
        with pytest.raises(WaitTimeout):
            familiar.partitions("alone")
        assert [view.partition for view in brokers[1].partitions("alone")] == [0, 1, 2]
    finally:
        cluster.heal()
    patient = OneBroker(bootstrap, 2, deadline_s=60)
    assert len(patient.partitions("alone")) == 3
    admin.wait_full_isr("alone", 60)
    for client in [hasty, familiar, patient, *brokers.values()]:
        client.close()


def test_a_broker_tells_the_ends_of_what_it_leads(admin: Admin) -> None:
    """They are those that anybody hears; of a partition that another one leads it tells none."""
    admin.create_topics(["ends"], Topology(profile="safe"))
    admin.wait_full_isr("ends", 60)
    ends = admin.ends("ends", range(3))
    for view in admin.partitions("ends"):
        for number in (1, 2, 3):
            broker = OneBroker(admin.bootstrap, number, deadline_s=0)
            own = {view.partition: ends[view.partition]} if number == view.leader else {}
            assert broker.own_ends("ends", [view.partition]) == own
            broker.close()
