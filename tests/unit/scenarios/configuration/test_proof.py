"""A finding becomes a run of its control, with the settings of the file in place of the control's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.execution.client_check import check_clients
from factorylab.scenarios.configuration.checking import Named, asked, read_all
from factorylab.scenarios.configuration.effective import Side
from factorylab.scenarios.configuration.keys import Role
from factorylab.scenarios.configuration.proof import Plan, plan
from factorylab.scenarios.controls import CONTROLS
from tests.support.property_files import known

MEMBER = "socket.timeout.ms=20000\ngroup.id=g\nsession.timeout.ms=30000\n"


def plans(folder: Path, role: Role, text: str) -> dict[str, Plan]:
    """By rule, the plans for all that this file allows."""
    path = folder / "mine.properties"
    path.write_text(text, encoding="utf-8")
    read = read_all([Named(path, role)], None, known())
    return {one.rule: plan(one, Side(read[0])) for one in asked(read).allowed}


def test_a_java_producers_settings_are_carried_over(tmp_path: Path) -> None:
    """Under librdkafka's names, with Java's defaults, and P1's own faults; what librdkafka lacks is named."""
    found = plans(tmp_path, "producer", "acks=1\nretries=7\nrequest.timeout.ms=20000\nbuffer.memory=99\n")
    one = found["acks_of_the_leader_alone"]
    assert one.scenario and one.scenario.faults == CONTROLS["P1"].broken.faults and one.left_out == ("buffer.memory",)
    producer = one.scenario.clients.producer
    assert producer["message.send.max.retries"] == "7" and producer["socket.timeout.ms"] == "20000"
    assert producer["topic.metadata.refresh.interval.ms"] == "300000"  # Java's metadata.max.age.ms
    assert (one.scenario.clients.acks, one.scenario.clients.idempotent) == ("1", False)


def test_a_consumers_settings_are_carried_over(tmp_path: Path) -> None:
    """With its session, and a processor that is written as programs are; it begins as the control does, so that one
    promise is broken at a time."""
    one = plans(tmp_path, "consumer", MEMBER)["committed_before_processed"]
    assert one.scenario and one.control == "P5"
    clients = one.scenario.clients
    assert (clients.session_timeout_s, clients.processor) == (30, "naive")
    assert (
        clients.consumer["enable.auto.offset.store"] == "true" and clients.consumer["auto.offset.reset"] == "earliest"
    )
    assert clients.consumer["auto.commit.interval.ms"] == "5000"
    assert one.scenario.schedule.steady_s == 40  # by commits 5 s apart a lag of less time seems to rise
    assert one.left_out == ("auto.offset.reset (P11 asks for it)",) or "auto.offset.reset" in one.left_out[0]


def test_a_new_group_begins_as_the_file_says(tmp_path: Path) -> None:
    """P11 is about auto.offset.reset itself, so it has that of the file."""
    one = plans(tmp_path, "consumer", MEMBER)["begins_at_the_end"]
    assert one.scenario and one.scenario.clients.consumer["auto.offset.reset"] in {"latest", "largest"}


@pytest.mark.parametrize(
    ("role", "text", "rule", "why"),
    [
        ("consumer", "key.deserializer=x\ngroup.id=g\n", "committed_late", "Java's client commits in poll()"),
        ("consumer", MEMBER + "group.instance.id=a\n", "committed_late", "the controls' members are not static"),
        ("consumer", MEMBER.replace("30000", "3000"), "committed_late", "session_timeout_s"),
        ("consumer", MEMBER + "auto.commit.interval.ms=7501\n", "committed_late", "7500 ms apart at most"),
        ("producer", "retries=0\nkey.serializer=x\n", "never_sent_again", "no control shows it"),
        ("broker", "node.id=1\nunclean.leader.election.enable=true\n", "unclean_election", "no control shows it"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_name(
    role: Role, text: str, rule: str, why: str, tmp_path: Path
) -> None:
    """There is no scenario then, and the reason names the setting or the rule."""
    one = plans(tmp_path, role, text)[rule]
    assert one.scenario is None and why in one.why_not


@pytest.mark.parametrize("acks", ["0", "1"])
@pytest.mark.parametrize("more", ["", "enable.idempotence=false\nmax.in.flight=1\nlinger.ms=0.5\n"])
def test_the_client_takes_what_is_carried_over(acks: str, more: str, tmp_path: Path) -> None:
    """librdkafka itself accepts the settings of every planned run."""
    found = plans(tmp_path, "producer", f"message.timeout.ms=30000\nacks={acks}\n{more}")
    planned = [one.scenario for one in found.values() if one.scenario]
    assert planned
    for scenario in planned:
        check_clients(scenario.clients)
