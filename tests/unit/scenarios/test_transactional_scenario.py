"""A scenario whose processors work in Kafka transactions: what it means, what is refused, and what is predicted."""

from __future__ import annotations

import pytest

from factorylab.core.errors import ScenarioError
from factorylab.scenarios.model import Scenario, scenario_from
from factorylab.scenarios.prediction.predict import predict
from factorylab.scenarios.prediction.settings import EffectiveSettings, Given
from factorylab.scenarios.prediction.transactions import COMMITTED_STALL

TRANSACTIONAL = {"name": "transactional", "consumption": "transactional"}
OPEN = {"kind": "kill", "target": "owner:0", "hold_s": 30, "step": "in_transaction"}


def test_without_transactions_a_scenario_is_written_as_ever() -> None:
    """The keys are not there, so that files of other runs stay what they were, byte for byte."""
    assert not {"consumption", "transactions"} & Scenario(name="any").model_dump(mode="json").keys()
    assert "transactions" not in scenario_from({"name": "q", "consumption": "share"}, "test").model_dump(mode="json")


def test_transactional_processors_own_partitions_and_positions() -> None:
    """They are judged by all that the factory's own are, and a saved scenario is read as it was written."""
    found = scenario_from(TRANSACTIONAL | {"transactions": {"timeout_s": 10}}, "test")
    assert found.owns_partitions and found.clients.positions_in_store and found.clients.processor == "transactional"
    assert scenario_from(found.model_dump(mode="json"), "test") == found


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (TRANSACTIONAL | {"clients": {"processor": "naive"}}, "do not belong together"),
        ({"name": "x", "clients": {"processor": "offsets_outside"}}, "consumption=transactional with one of"),
        ({"name": "x", "transactions": {"timeout_s": 10}}, "add consumption=transactional"),
        (TRANSACTIONAL | {"transactions": {"timeout_s": 901}}, "less than or equal to 900"),
        (TRANSACTIONAL | {"clients": {"consumer": {"isolation.level": "read_uncommitted"}}}, "would not wait"),
        (TRANSACTIONAL | {"clients": {"consumer": {"enable.auto.commit": True}}}, "position is in the store"),
        ({"name": "x", "faults": [OPEN]}, "of the kind fenced has"),
    ],
)
def test_what_cannot_mean_anything_is_refused(given: dict[str, object], why: str) -> None:
    """With the rule that it breaks, before anything starts."""
    with pytest.raises(ScenarioError, match=why):
        scenario_from(given, "test")


@pytest.mark.parametrize(("timeout_s", "hold_s", "low_s", "high_s"), [(10, 30, 10, 21), (60, 4, 4.5, 8)])
def test_readers_wait_for_the_time_out_or_for_the_one_who_comes_back(
    timeout_s: float, hold_s: float, low_s: float, high_s: float
) -> None:
    """Whichever of the two is first is predicted, with the settings that it rests on."""
    scenario = scenario_from(TRANSACTIONAL | {"faults": [OPEN | {"hold_s": hold_s}]}, "test")
    limit = {"transaction.timeout.ms": Given(str(timeout_s * 1000), "the scenario")}
    told = predict(scenario, EffectiveSettings({}, limit, {}), "local")
    stall = next(row for row in told.faults[0].cases[0].quantities if row.name == COMMITTED_STALL)
    assert stall.low_s is not None and stall.high_s is not None and low_s <= stall.low_s < stall.high_s <= high_s
    assert "producer transaction.timeout.ms" in stall.inputs


def test_other_faults_of_transactional_processors_have_no_model() -> None:
    """The prediction says so instead of a number."""
    scenario = scenario_from(TRANSACTIONAL | {"faults": [{"kind": "kill", "target": "processor:0"}]}, "test")
    told = predict(scenario, EffectiveSettings({}, {}, {}), "local")
    assert told.faults[0].cases == [] and "no model of processors in transactions" in told.faults[0].why_not
