"""The settings that a run will have, before it begins."""

from __future__ import annotations

from pathlib import Path

import javaproperties
import pytest

from factorylab.cluster.local import kafka_config
from factorylab.execution import effective_settings
from factorylab.execution.effective_settings import PROFILE, SCENARIO, broker_settings, composed, effective
from factorylab.scenarios.model import Clients
from factorylab.scenarios.stall_phases import BROKER_SESSION, GROUP_SESSION, MEMBER_SESSION, PRODUCER_SOCKET


def test_the_profile_stands_where_the_scenario_says_nothing(tmp_path: Path) -> None:
    """The time-out of sockets is the profile's 10 s, not the client's 60."""
    told = effective(Clients(), "local", tmp_path)
    assert told.seconds(PRODUCER_SOCKET) == 10 and told.get("producer", "socket.timeout.ms").source == PROFILE


def test_the_scenario_wins(tmp_path: Path) -> None:
    """Its overrides, its acks and its session, each with its source."""
    clients = Clients(producer={"socket.timeout.ms": "60000"}, acks="1", session_timeout_s=8)
    told = effective(clients, "local", tmp_path)
    assert told.seconds(PRODUCER_SOCKET) == 60 and told.get("producer", "acks").value == "1"
    assert told.seconds(MEMBER_SESSION) == 8 and told.get("consumer", "session.timeout.ms").source == SCENARIO
    assert told.get("producer", "enable.idempotence").value == "false"


def test_a_static_member_has_an_id_of_its_own(tmp_path: Path) -> None:
    """The scenario sets it; what is not static has none."""
    told = effective(Clients(static_members=True), "local", tmp_path).consumer
    assert told["group.instance.id"].source == SCENARIO and told["group.instance.id"].value == "each processor's name"
    assert "group.instance.id" not in effective(Clients(), "local", tmp_path).consumer


@pytest.mark.parametrize("backend", ["local", "compose"])
def test_both_backends_set_the_same_times(backend: str, tmp_path: Path) -> None:
    """What compose.yaml writes, the local backend writes as well; what neither sets is Kafka's default."""
    told = effective(Clients(), backend, tmp_path)  # type: ignore[arg-type]
    assert told.seconds(BROKER_SESSION) == 9 and told.get("broker", BROKER_SESSION.name).source == "Kafka's default"
    assert told.seconds(GROUP_SESSION) == 6


def test_names_of_compose_are_those_of_kafka() -> None:
    """KAFKA_X_Y is x.y, for each property that both backends have."""
    own, theirs = kafka_config.COMMON, composed()
    assert {name: theirs[name] for name in own.keys() & theirs.keys() if name.startswith("group.")} == {
        name: value for name, value in own.items() if name.startswith("group.")
    }


def test_a_lab_that_is_up_counts_as_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file says 4 s, whatever a new lab would get; a lab that is down leaves a file that says nothing."""
    file = tmp_path / "data" / "broker-1" / kafka_config.CONFIG
    file.parent.mkdir(parents=True)
    file.write_text(javaproperties.dumps({"broker.session.timeout.ms": "4000"}))
    assert "broker.session.timeout.ms" not in broker_settings("local", tmp_path)
    monkeypatch.setattr(effective_settings.control, "living_state", lambda home: home == tmp_path)
    assert broker_settings("local", tmp_path)["broker.session.timeout.ms"].value == "4000"
