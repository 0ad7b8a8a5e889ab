"""Each rule fires on settings that let it happen, and on none that almost do."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from factorylab.scenarios.configuration.checking import RULES
from factorylab.scenarios.configuration.keys import Role
from factorylab.scenarios.configuration.report import Report
from factorylab.scenarios.configuration.rule import Rule
from tests.support.places import ROOT
from tests.support.property_files import report_of

Files = tuple[tuple[Role, str], ...]


def writes(text: str = "", *more: tuple[Role, str], java: bool = True) -> Files:
    own = "key.serializer=x\n" if java else "socket.keepalive.enable=true\n"
    return (("producer", own + text), *more)


def reads(text: str = "", *more: tuple[Role, str], java: bool = True) -> Files:
    own = "key.deserializer=x\n" if java else "socket.keepalive.enable=true\n"
    return (("consumer", f"{own}group.id=g\nauto.offset.reset=earliest\nenable.auto.commit=false\n{text}"), *more)


def commits(text: str = "", *, java: bool = True) -> Files:
    ((role, own), *_) = reads(java=java)
    return ((role, own.replace("enable.auto.commit=false", "enable.auto.commit=true") + text),)


def brokers(text: str = "") -> tuple[Role, str]:
    return ("broker", f"node.id=1\ndefault.replication.factor=3\noffsets.topic.replication.factor=3\n{text}")


TWO, ONE = brokers("min.insync.replicas=2\n"), brokers("min.insync.replicas=1\n")
RD_STATIC = "group.protocol=consumer\ngroup.instance.id=a\n"
ALLOWED: dict[str, tuple[Files, Files]] = {
    "acks_of_nobody": (writes("acks=0\n"), writes("acks=1\n")),
    "acks_of_the_leader_alone": (writes("acks=1\n"), writes("acks=-1\n")),
    "last_in_sync": (writes("", ONE), writes("", TWO)),
    "confirmed_and_unreadable": (writes("acks=1\n", TWO), writes("acks=1\n", ONE)),
    "sent_twice": (writes("acks=1\n"), writes("acks=all\n")),
    "overtaken": (
        writes("enable.idempotence=false\n"),
        writes("enable.idempotence=false\nmax.in.flight.requests.per.connection=1\n"),
    ),
    "never_sent_again": (writes("retries=0\n"), writes("retries=1\n")),
    "given_up_early": (
        writes("request.timeout.ms=9000\ndelivery.timeout.ms=14000\n"),
        writes("request.timeout.ms=9000\ndelivery.timeout.ms=14001\n"),
    ),
    "given_up_and_written": (
        writes("delivery.timeout.ms=20000\n", brokers("broker.session.timeout.ms=15000\n"), java=False),
        writes("delivery.timeout.ms=0\n", java=False),
    ),
    "leader_killed": (writes(), writes("acks=0\n")),
    "follower_killed": (writes(), writes("acks=1\n")),
    "readers_wait_for_a_follower": (writes("acks=1\n"), writes("acks=all\n")),
    "leader_frozen": (writes(java=False), writes("acks=0\n", java=False)),
    "transaction_refused": (
        writes("transactional.id=t\ntransaction.timeout.ms=900001\n", TWO),
        writes("transactional.id=t\ntransaction.timeout.ms=900000\n", TWO),
    ),
    "transaction_left_open": (writes("transactional.id=t\n"), writes()),
    "committed_before_processed": (commits(java=False), commits("enable.auto.offset.store=false\n", java=False)),
    "committed_late": (commits(), reads()),
    "begins_at_the_end": (
        (("consumer", "key.deserializer=x\ngroup.id=g\n"),),
        (("consumer", "key.deserializer=x\ngroup.id=g\nauto.offset.reset=none\n"),),
    ),
    "short_session": (reads("session.timeout.ms=19999\n"), reads("session.timeout.ms=20000\n")),
    "sees_aborted": (
        reads("", ("producer", "key.serializer=x\ntransactional.id=t\n")),
        reads("isolation.level=read_committed\n", ("producer", "key.serializer=x\ntransactional.id=t\n")),
    ),
    "member_dies": (reads(), (("consumer", "key.deserializer=x\nauto.offset.reset=earliest\n"),)),
    "static_member_away": (reads("group.instance.id=a\n"), reads(RD_STATIC)),
    "static_member_refused": (reads(RD_STATIC, java=False), reads("group.protocol=consumer\n", java=False)),
    "session_refused": (reads("session.timeout.ms=5999\n", TWO), reads("session.timeout.ms=6000\n", TWO)),
    "no_common_assignor": (
        reads("partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor\n",
              *reads("partition.assignment.strategy=range\n", java=False)),
        reads("", *reads("partition.assignment.strategy=range\n", java=False)),
    ),
    "leader_frozen_for_readers": (reads(), writes()),
    "unclean_election": ((brokers("unclean.leader.election.enable=true\n"),), (TWO,)),
    "one_replica": ((("broker", "node.id=1\n"),), (TWO,)),
    "one_replica_away": ((("broker", "node.id=1\n"),), (TWO,)),
    "none_to_spare": ((brokers("min.insync.replicas=3\n"),), (TWO,)),
    "offsets_topic_replication_factor": ((brokers("offsets.topic.replication.factor=1\n"),), (TWO,)),
    "transaction_state_log_replication_factor": ((brokers("transaction.state.log.replication.factor=1\n"),), (TWO,)),
    "leaves_without_a_word": ((brokers("controlled.shutdown.enable=false\n"),), (TWO,)),
}  # fmt: skip
DEPENDS: dict[str, tuple[Files, Files]] = {
    "queue_full": (writes(), reads()),
    "other_partitions": (writes(java=False), writes("partitioner=murmur2\n", java=False)),
    "committed_in_poll": (commits(), commits(java=False)),
    "committed_by_program": (reads(), commits()),
    "too_slow": (reads(), (("consumer", "key.deserializer=x\n"),)),
    "former_owner_writes": (reads(), (("consumer", "key.deserializer=x\n"),)),
    "expired": ((TWO,), writes()),
    "power_cut": ((TWO,), writes()),
}


def told(report: Report) -> tuple[list[str], list[str]]:
    return [one.rule for one in report.allowed], [one.rule for one in report.depends]


@pytest.mark.parametrize("name", ALLOWED)
def test_it_fires_where_the_settings_let_it_happen(name: str, tmp_path: Path) -> None:
    """The rule is told of the first files, of the second ones neither as allowed nor as open."""
    happens, does_not = (report_of(tmp_path, *files) for files in ALLOWED[name])
    assert name in told(happens)[0]
    assert name not in chain(*told(does_not))


@pytest.mark.parametrize("name", DEPENDS)
def test_what_no_file_says_is_asked(name: str, tmp_path: Path) -> None:
    """What the program or the topic decides is told as open, and not as allowed."""
    asked, not_asked = (report_of(tmp_path, *files) for files in DEPENDS[name])
    assert name in told(asked)[1] and name not in told(asked)[0]
    assert name not in chain(*told(not_asked))


def test_every_rule_is_tried() -> None:
    """The tables of this test have each rule once, and no two rules have one name."""
    assert Counter([*ALLOWED, *DEPENDS]) == Counter(rule.name for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_its_source_is_there(rule: Rule) -> None:
    """A rule rests on a page of this documentation that exists, or on that of Kafka or librdkafka with its version."""
    for source in rule.source.split("; "):
        assert (ROOT / source).is_file() or any(source.startswith(one) for one in ("Kafka 4.3", "librdkafka 2.16"))


def test_acks_of_one_depend_on_the_brokers(tmp_path: Path) -> None:
    """Without a broker file it is said what the readers' stall depends on, and it is not told as allowed."""
    report = report_of(tmp_path, *writes("acks=1\n"))
    (found,) = (one for one in report.depends if one.rule == "confirmed_and_unreadable")
    assert found.depends_on == "min.insync.replicas of the topic, which was not given" and found.settings == []


def test_a_value_that_stands_elsewhere_is_not_guessed(tmp_path: Path) -> None:
    """`acks=${env:ACKS}`: every rule that asks for acks is open, none is told by the default."""
    report = report_of(tmp_path, *writes("acks=${env:ACKS}\n"))
    depends = {one.rule: one.depends_on for one in report.depends}
    assert told(report)[0] == []
    assert "acks, whose value does not stand in" in depends["acks_of_nobody"]


def test_idempotence_is_switched_off_without_a_word(tmp_path: Path) -> None:
    """The finding names acks=1 as the reason, though the file says nothing of idempotence."""
    (found,) = (one for one in report_of(tmp_path, *writes("acks=1\n")).allowed if one.rule == "sent_twice")
    assert ("enable.idempotence", "false") in {(one.name, one.value) for one in found.settings}
    assert "switched off, without a word, by acks=1" in {one.source for one in found.settings}


def test_a_consumer_without_a_group_is_said_to_be_in_none(tmp_path: Path) -> None:
    """What a group's member may suffer is not asked of it, and that is among the assumptions."""
    alone = report_of(tmp_path, ("consumer", "key.deserializer=x\n"))
    assert any("has no group.id" in line for line in alone.assumed)
    assert not any("has no group.id" in line for line in report_of(tmp_path, *reads()).assumed)


def test_defaults_of_the_two_clients_differ(tmp_path: Path) -> None:
    """With nothing set librdkafka's producer doubles and reorders, and Java's does neither."""
    ours, theirs = (told(report_of(tmp_path, *writes(java=java)))[0] for java in (True, False))
    assert {"sent_twice", "overtaken"} <= set(theirs) and not {"sent_twice", "overtaken"} & set(ours)
