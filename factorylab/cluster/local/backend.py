"""The backend `local`: three Kafka brokers and PostgreSQL as child processes of a supervisor, on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Collection

from factorylab.cluster.base import Progress
from factorylab.cluster.driver import Driver
from factorylab.cluster.local import fresh_lab
from factorylab.cluster.settings import Settings
from factorylab.core.errors import LabError
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KafkaVersion
from factorylab.scenarios.faults.kind import Need


class LocalCluster(Driver):
    """A lab of child processes."""

    backend = "local"

    @classmethod
    def prepare(
        cls, settings: Settings, needs: Collection[Need], kafka: KafkaVersion | None, progress: Progress
    ) -> fresh_lab.FreshLab:
        return fresh_lab.prepare(settings, needs, kafka or DEFAULT_KAFKA, progress)

    def wipe(self, node: str, topic: str, partition: int) -> str:
        copy = self.home / "data" / node / "data" / f"{topic}-{partition}"
        if self.status(node) != "dead" or not copy.is_dir():
            raise LabError(f"{node} is {self.status(node)}: only a dead broker's copy of {copy.name} can be deleted")
        shutil.rmtree(copy)
        return f"deleted {copy.name} of {node}"
