"""The version of Kafka as a scenario's parameter changes no scenario that does not use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.kafka_versions import KAFKA_VERSIONS
from factorylab.history import campaign_file
from factorylab.history.campaign_file import Experiment
from factorylab.scenarios.model import Scenario, scenario_from
from tests.support.places import ROOT

CAMPAIGNS = sorted((ROOT / "results/campaigns").glob("*.jsonl"))


@pytest.mark.parametrize("path", CAMPAIGNS, ids=lambda path: path.stem)
def test_recorded_experiments_keep_their_digests(path: Path) -> None:
    """What was declared before there was a choice of versions still has the digest that its runs name."""
    found = campaign_file.read(path).experiments
    assert found
    assert {key: Experiment.of(scenario_from(e.scenario, key)) for key, e in found.items()} == dict(found)


@pytest.mark.parametrize("kafka", KAFKA_VERSIONS)
def test_a_version_is_part_of_what_was_declared(kafka: str) -> None:
    """A scenario with a version is written with it, read back the same, and is another experiment than one without."""
    one = scenario_from({"name": "one", "topology": {"kafka": kafka}}, "test")
    written = one.model_dump(mode="json")
    assert written["topology"]["kafka"] == kafka and scenario_from(written, "test") == one
    assert Experiment.of(one).experiment != Experiment.of(Scenario(name="one")).experiment
