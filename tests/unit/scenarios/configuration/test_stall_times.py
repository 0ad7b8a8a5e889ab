"""How long a stall lasts by the settings of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.scenarios.configuration.keys import Role
from factorylab.scenarios.configuration.stall_times import Stall
from tests.support.property_files import report_of

RD = "socket.keepalive.enable=true\n"
BROKER = "node.id=1\ndefault.replication.factor=3\nmin.insync.replicas=2\n"


def stall(folder: Path, rule: str, *files: tuple[Role, str]) -> Stall:
    (found,) = (one for one in report_of(folder, *files).allowed if one.rule == rule)
    assert found.stall
    return found.stall


def interval(found: Stall) -> tuple[float, float]:
    assert found.low_s is not None and found.high_s is not None and found.model
    return found.low_s, found.high_s


@pytest.mark.parametrize("rule", ["leader_killed", "follower_killed", "leader_frozen"])
def test_the_brokers_session_governs_it(rule: str, tmp_path: Path) -> None:
    """With a session of 3 instead of 9 s another leader is sooner there, and the stall is shorter at both ends where no
    time-out of the client is longer."""
    client = ("producer", RD + "socket.timeout.ms=10000\n")
    low, high = interval(stall(tmp_path, rule, client))
    low_3, high_3 = interval(stall(tmp_path, rule, client, ("broker", BROKER + "broker.session.timeout.ms=3000\n")))
    assert low_3 < low and (high_3 < high or rule == "leader_frozen")


def test_a_frozen_leader_costs_the_clients_time_out_at_most(tmp_path: Path) -> None:
    """With librdkafka's defaults it may last a minute, by when the client next asks; a request time-out of 10 s and a
    refresh of 10 s bound it."""
    low, high = interval(stall(tmp_path, "leader_frozen", ("producer", RD)))
    assert low < 10 and 60 < high < 75
    bounded = "socket.timeout.ms=10000\ntopic.metadata.refresh.interval.ms=10000\n"
    assert interval(stall(tmp_path, "leader_frozen", ("producer", RD + bounded)))[1] < 25


def test_a_reader_waits_by_its_own_time_outs(tmp_path: Path) -> None:
    """A frozen leader costs a reader a minute by librdkafka's defaults, and far less with time-outs of 10 s; that its
    producer is taken to have the same is said."""
    low, high = interval(stall(tmp_path, "leader_frozen_for_readers", ("consumer", RD + "group.id=g\n")))
    assert low < 20 and 60 < high < 80
    bounded = RD + "group.id=g\nsocket.timeout.ms=10000\ntopic.metadata.refresh.interval.ms=10000\n"
    found = stall(tmp_path, "leader_frozen_for_readers", ("consumer", bounded))
    assert interval(found)[1] < 35 and "a producer that has the same time-outs" in found.words


def test_an_active_controller_makes_it_longer(tmp_path: Path) -> None:
    """Brokers that are no controllers (process.roles=broker) are fenced sooner at worst."""
    combined, alone = (
        interval(stall(tmp_path, "leader_killed", ("producer", RD), ("broker", f"{BROKER}process.roles={roles}\n")))
        for roles in ("broker,controller", "broker")
    )
    assert alone[1] < combined[1]


def test_what_a_java_client_adds_is_not_predicted(tmp_path: Path) -> None:
    """Of Java's producer only what the cluster decides is said: a lower bound, with the reason."""
    found = stall(tmp_path, "leader_killed", ("producer", "key.serializer=x\n"))
    assert found.low_s and found.high_s is None and "Java client adds is not predicted" in found.words


def test_with_one_replica_nobody_else_leads(tmp_path: Path) -> None:
    """The model has no such case, so it is not asked."""
    found = stall(tmp_path, "leader_killed", ("producer", RD), ("broker", "node.id=1\n"))
    assert found.low_s is None and "as long as the broker is away" in found.words


def test_a_client_that_never_asks_is_not_predicted(tmp_path: Path) -> None:
    """topic.metadata.refresh.interval.ms=-1 switches the regular request off."""
    found = stall(tmp_path, "leader_frozen", ("producer", RD + "topic.metadata.refresh.interval.ms=-1\n"))
    assert found.low_s is None and found.words.startswith("not predicted")


def test_a_dead_member_is_put_out_within_its_session(tmp_path: Path) -> None:
    """Classic: the member's own session; KIP-848: that of the brokers, which is asked of their file."""
    member = "key.deserializer=x\ngroup.id=g\n"
    low, high = interval(stall(tmp_path, "member_dies", ("consumer", member + "session.timeout.ms=20000\n")))
    assert 16 < low < high <= 20
    brokers = ("broker", BROKER + "group.consumer.session.timeout.ms=50000\n")
    low, high = interval(stall(tmp_path, "member_dies", ("consumer", member + "group.protocol=consumer\n"), brokers))
    assert 44 < low < high <= 50
