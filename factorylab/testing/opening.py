"""How a session of tests comes by its lab."""

from __future__ import annotations

from factorylab.cluster import control
from factorylab.cluster.backends import bring_up
from factorylab.cluster.base import Progress
from factorylab.cluster.settings import Settings
from factorylab.core.errors import EnvironmentUnfit
from factorylab.testing.kafka_cluster import KafkaCluster


def opened(settings: Settings, isolated: bool, progress: Progress) -> KafkaCluster:
    """The lab of `settings.home`, started, or taken as it is where it is up. `isolated`: it can cut its brokers off,
    where this machine can do that. The backend `auto` is local here: it is up in seconds.

    Raises:
        LabBusy: another process uses it.
        EnvironmentUnfit: this machine cannot run it, with the way out.
    """
    if settings.backend == "auto" and not control.living_state(settings.home):
        settings = settings.model_copy(update={"backend": "local"})
    if not isolated:
        return KafkaCluster(bring_up(settings, progress=progress))
    try:
        return KafkaCluster(bring_up(settings, isolated=True, progress=progress))
    except EnvironmentUnfit as error:  # where that was not the reason, it is raised again
        return KafkaCluster(bring_up(settings, progress=progress), str(error))
