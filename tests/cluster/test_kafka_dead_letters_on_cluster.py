"""Kafka's own dead letters on a real lab of a version that has them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from factorylab.cluster.admin import Admin
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.names import Names
from factorylab.execution.kafka_dead_letters import prepared
from factorylab.scenarios.model import Scenario, scenario_from


def scenario(dead_letters: str) -> Scenario:
    topology = {"kafka": "4.4.0", "profile": "safe", "partitions": 1}
    group = {"kafka_dead_letters": dead_letters}
    return scenario_from({"name": "q", "consumption": "share", "topology": topology, "share_group": group}, "test")


def test_only_a_missing_letter_tells_that_a_topic_is_unusable(labs_folder: Path, session_settings: Settings) -> None:
    """Over 10 s. A record that was rejected on purpose arrives in an enabled topic without its own headers; of a topic
    that is not enabled the broker says nothing, and the lab does. Neither leaves a topic of the rehearsal behind."""
    settings = session_settings.model_copy(update={"home": labs_folder / "dead-letters"})
    with (
        LocalCluster.up(settings, kafka="4.4.0") as lab,
        closing(Admin(lab.endpoints.bootstrap, share_groups=True)) as admin,
    ):
        words, arrived = prepared(admin, Names.of("on"), scenario("enabled"))
        assert arrived and "its own header dropped" in words, words
        words, arrived = prepared(admin, Names.of("off"), scenario("not_enabled"))
        assert not arrived and "the broker told no error" in words, words
        assert not any("rehearsal" in topic for topic in admin.topics())
