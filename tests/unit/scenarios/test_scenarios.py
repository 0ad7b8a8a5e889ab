"""The named scenarios: their parameters are checked, and they give what their notebooks promise."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from factorylab.core.errors import ScenarioError, UsageError
from factorylab.scenarios.catalog import SCENARIOS, build
from factorylab.scenarios.model import Fault

REQUIRED: dict[str, dict[str, Any]] = {"recorded_machine": {"source": "machine.csv"}}


@pytest.mark.parametrize("name", SCENARIOS)
def test_defaults_are_a_scenario_of_that_name(name: str) -> None:
    """Each named scenario is valid with its defaults alone, and runs and folders carry its name."""
    assert build(name, REQUIRED.get(name, {})).name == name


def test_an_unknown_scenario_names_those_that_exist() -> None:
    """A scenario that does not exist is refused with the list of those that do."""
    with pytest.raises(UsageError, match=r"'brocker_loss': choose one of baseline, broker_loss, consumer_loss"):
        build("brocker_loss", {})


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_unknown_parameter_names_those_that_exist(name: str) -> None:
    """A parameter that the scenario does not take is refused with the list of those that it takes."""
    with pytest.raises(ScenarioError) as refused:
        build(name, {**REQUIRED.get(name, {}), "speed": 1})
    assert f"{name} has no parameter speed" in str(refused.value)
    assert all(parameter in str(refused.value) for parameter in inspect.signature(SCENARIOS[name]).parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("broker_loss", {"kind": "burn"}, ["kind", "'burn'", "terminate"]),
        ("broker_loss", {"target": "leader:9"}, ["'leader:9'", "from 0 to 2"]),
        ("broker_loss", {"target": "leader"}, ["target", "'leader'"]),
        ("broker_loss", {"hold_s": "long"}, ["hold_s", "'long'", "number"]),
        ("broker_loss", {"hold_s": 0}, ["hold_s", "greater than 0"]),
        ("broker_loss", {"expect": "fine"}, ["expect", "'fine'"]),
        ("baseline", {"seconds_s": -1}, ["greater than 0", "-1"]),
        ("baseline", {"rate_per_s": [1]}, ["rate_per_s", "[1]"]),
        ("consumer_loss", {"processors": 2.5}, ["processors", "2.5"]),
        ("consumer_loss", {"protocol": "consumer", "session_timeout_s": 9}, ["leave session_timeout_s out"]),
        ("consumer_loss", {"protocol": "consumer", "session_timeout_s": 14}, ["leave session_timeout_s out"]),
        ("network_partition", {"direction": "up"}, ["direction", "'up'", "both"]),
        ("network_partition", {"away_from": "me"}, ["away_from", "'me'", "everybody"]),
        ("network_partition", {"refresh_s": 0}, ["refresh_s", "greater than 0"]),
        ("high_load", {"steps_per_s": 10_000}, ["steps_per_s", "10000", "tuple"]),
        ("high_load", {"steps_per_s": [5, 0]}, ["steps_per_s.1", "greater than 0"]),
        ("recorded_machine", {}, ["source", "required"]),
        ("recorded_machine", {"source": "a.csv", "hold_s": 2}, ["hold_s", "greater than 0"]),
    ],
)
def test_a_wrong_value_is_refused(name: str, parameters: dict[str, Any], words: list[str]) -> None:
    """A wrong value is refused with its parameter, the value and the rule, before anything is built."""
    with pytest.raises(ScenarioError) as refused:
        build(name, parameters)
    assert [word for word in words if word.lower() not in str(refused.value).lower()] == []


def test_two_wrong_values_are_named_at_once() -> None:
    """All wrong parameters stand in one message."""
    with pytest.raises(ScenarioError) as refused:
        build("broker_loss", {"kind": "burn", "rate_per_s": "x"})
    assert "kind" in str(refused.value) and "rate_per_s" in str(refused.value)


def test_parameters_arrive() -> None:
    """What is given as parameters is what the scenario declares."""
    made = build("broker_loss", {"target": "controller", "kind": "pause", "hold_s": 3, "profile": "safe", "acks": 1})
    assert made.faults == (Fault(kind="pause", target="controller", hold_s=3),)
    assert (made.topology.profile, made.clients.acks) == ("safe", "1")
    steps = build("high_load", {"steps_per_s": [10, 20], "step_s": 4})
    assert steps.workload.steps_per_s == (10, 20) and steps.fault_window_s == 8


def test_a_network_partition_has_its_sides() -> None:
    """Target, sides and the producers' refresh arrive; by default a leader is cut off from its peers both ways."""
    made = build("network_partition", {})
    assert made.faults == (Fault(kind="partition", target="leader:0", hold_s=20),)
    assert (made.topology.profile, made.clients.producer) == ("safe", {"topic.metadata.refresh.interval.ms": "10000"})
    one_way = build("network_partition", {"away_from": "everybody", "direction": "in", "refresh_s": 0.25})
    assert (one_way.faults[0].away_from, one_way.faults[0].direction) == ("everybody", "in")
    assert one_way.clients.producer == {"topic.metadata.refresh.interval.ms": "250"}


def test_a_recorded_machine_loses_both_while_it_is_replayed() -> None:
    """Broker and processor of the busiest partition are killed, and both are back at the same moment."""
    broker, processor = build("recorded_machine", {"source": "a.csv", "hold_s": 9}).faults
    assert (broker.target, processor.target) == ("leader:busiest", "owner:busiest")
    assert broker.at_s + broker.hold_s == processor.at_s + processor.hold_s == 9


def test_a_consumer_that_is_cut_off_is_put_out_meanwhile() -> None:
    """Its session ends before the cut does; where brokers are cut apart, consumers keep the long session."""
    for target, session_s in (("owner:0", 14.0), ("processor:1", 14.0), ("leader:0", None)):
        made = build("network_partition", {"target": target})
        assert made.clients.session_timeout_s == session_s
        assert session_s is None or session_s < made.faults[0].hold_s
