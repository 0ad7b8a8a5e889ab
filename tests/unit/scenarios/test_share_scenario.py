"""A scenario whose processors share all partitions: what it means, and what is refused."""

from __future__ import annotations

import pytest

from factorylab.core.errors import ScenarioError
from factorylab.scenarios.model import Scenario, scenario_from
from factorylab.scenarios.prediction.predict import _why_not
from factorylab.scenarios.share_group import ShareGroup

QUEUE = {"name": "queue", "consumption": "share"}


def test_without_a_share_group_a_scenario_is_written_as_ever() -> None:
    """The keys are not there, so that files of other runs stay what they were, byte for byte."""
    written = Scenario(name="any").model_dump(mode="json")
    assert not {"consumption", "share_group"} & written.keys()


def test_workers_of_a_share_group_store_by_identity() -> None:
    """Nobody has to say it twice, more workers than partitions are allowed, and a saved scenario is read as written."""
    found = scenario_from(QUEUE | {"clients": {"processors": 7}}, "test")
    assert found.clients.processor == "idempotent" and found.shared and not found.owns_partitions
    assert found.topology.partitions < found.clients.processors
    assert scenario_from(found.model_dump(mode="json"), "test") == found


def test_a_group_reads_from_the_beginning() -> None:
    """Kafka's own default is the latest record; what is left out of the scenario stays the broker's."""
    assert ShareGroup().group_settings == {"share.auto.offset.reset": "earliest"}
    assert ShareGroup(lock_s=15).group_settings["share.record.lock.duration.ms"] == "15000"


def test_dead_letters_of_kafka_are_asked_for_by_name() -> None:
    """A scenario without them is written as before Kafka had them; with them it comes back as it was."""
    assert "kafka_dead_letters" not in ShareGroup().model_dump()
    asked = scenario_from(
        QUEUE | {"share_group": {"kafka_dead_letters": "enabled"}, "topology": {"kafka": "4.4.0"}}, "test"
    )
    assert scenario_from(asked.model_dump(mode="json"), "test") == asked


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"clients": {"processor": "fenced"}}, "do not belong together"),
        ({"consumption": "partitions", "clients": {"processor": "idempotent"}}, "do not belong together"),
        ({"consumption": "partitions", "share_group": {"lock_s": 20}}, "add consumption=share"),
        ({"share_group": {"lock_s": 5}}, "greater than or equal to 15"),
        ({"clients": {"static_members": True}}, "static_members is of a group that owns partitions"),
        ({"clients": {"protocol": "consumer"}}, "protocol is of a group that owns partitions"),
        ({"faults": [{"kind": "kill", "target": "owner:0"}]}, "nobody owns a partition of a share group"),
        ({"faults": [{"kind": "kill", "target": "processor:0", "step": "revoking"}]}, "of the kind idempotent has"),
        ({"objectives": {"latency_p99_s": 1}}, "measured on processors that own partitions"),
        ({"subject": {"command": ["mine"]}}, "belong together"),
        ({"expect": ["alert_missing"]}, "expect alert_missing: every detector of the factory.* needs the readings"),
        ({"share_group": {"kafka_dead_letters": "enabled"}}, "topology.kafka is not given: add topology"),
        (
            {"share_group": {"kafka_dead_letters": "enabled"}, "topology": {"kafka": "4.3.1"}},
            "needs a Kafka that has them, and topology.kafka is 4.3.1",
        ),
        (
            {"consumption": "partitions", "faults": [{"kind": "kill", "target": "share_coordinator:0"}]},
            "only a share group has one",
        ),
        ({"faults": [{"kind": "kill", "target": "share_coordinator:3"}]}, "the numbers of a share_coordinator go from"),
    ],
)
def test_what_cannot_mean_anything_is_refused(changes: dict[str, object], why: str) -> None:
    """With the rule that it breaks, before anything starts."""
    with pytest.raises(ScenarioError, match=why):
        scenario_from(QUEUE | changes, "test")


def test_no_fault_of_a_share_group_is_predicted() -> None:
    """There is no model of it, and the prediction says so instead of a number."""
    fault = {"kind": "kill", "target": "processor:0"}
    scenario = scenario_from(QUEUE | {"faults": [fault]}, "test")
    assert _why_not(0, scenario.faults[0], scenario) == "no model of a share group"
