"""A real lab whose broker becomes one of another version, on the data that it has."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from confluent_kafka import Producer

from factorylab.cluster.admin import Admin
from factorylab.cluster.kafka_version import kafka_version
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.errors import LabError
from factorylab.core.names import Names
from factorylab.core.waiting import wait_until
from factorylab.scenarios.model import Topology

RECORDS, LONG_S = 200, 90
LEVEL_OF_431 = 30  # metadata.version that StorageTool of 4.3.1 begins with


def test_a_broker_is_upgraded_on_its_own_data(labs_folder: Path, session_settings: Settings) -> None:
    """Over 10 s. It comes back as the other version with every record, and as long as another broker is older the
    features stay where they are, whoever is asked to raise them."""
    settings, topic = session_settings.model_copy(update={"home": labs_folder / "upgrade"}), Names.of().sensors
    with (
        LocalCluster.up(settings, needs=("versions",), kafka="4.3.1") as lab,
        closing(Admin(lab.endpoints.bootstrap)) as admin,
    ):
        admin.create_topics([topic], Topology(partitions=1, profile="safe"))
        producer = Producer({"bootstrap.servers": lab.endpoints.bootstrap, "acks": "all"})
        for number in range(RECORDS):
            producer.produce(topic, str(number))
        assert producer.flush(LONG_S) == 0
        lab.inject(0, "broker-1", "upgrade")
        wait_until(
            lambda: kafka_version(lab.log_files()) == "4.3.1 | 4.4.0" and not admin.out_of_sync(),
            what="the upgraded broker to be in sync",
            timeout_s=LONG_S,
            last_seen=lambda: kafka_version(lab.log_files()),
        )
        assert admin.ends(topic, [0]) == {0: RECORDS}
        with suppress(LabError):  # an upgraded broker is refused; an older one knows of nothing higher
            admin.raise_features()
        assert admin.features()["metadata.version"][0] == LEVEL_OF_431
