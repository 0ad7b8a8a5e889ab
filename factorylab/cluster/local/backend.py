"""The backend `local`: three Kafka brokers and PostgreSQL as child processes of a supervisor, on loopback."""

from __future__ import annotations

import shutil
from functools import partial
from typing import Self

from factorylab.cluster import boot
from factorylab.cluster.base import Progress
from factorylab.cluster.driver import Driver, quiet
from factorylab.cluster.settings import Settings
from factorylab.core.errors import LabError


class LocalCluster(Driver):
    """A lab of child processes."""

    backend = "local"

    @classmethod
    def up(
        cls,
        settings: Settings,
        *,
        keep: bool = False,
        isolated: bool = False,
        small_disk: bool = False,
        progress: Progress = quiet,
    ) -> Self:
        """Start the lab of `settings.home`, or attach to it when it is up; returns when all of it answers.

        `keep`: it stays up even when this process vanishes. `isolated`: the nodes of a new lab have a network of their
        own, in which partitions can be made. `small_disk`: the tables of a new lab are on a disk that can be filled.

        Raises:
            LabBusy: another process uses it.
            EnvironmentUnfit: this machine cannot run it as it is, with the way out.
        """
        prepare = partial(boot.prepare, own_network=isolated, small_disk=small_disk)
        return cls.bring(settings, prepare, keep=keep, progress=progress)

    def wipe(self, node: str, topic: str, partition: int) -> str:
        copy = self.home / "data" / node / "data" / f"{topic}-{partition}"
        if self.status(node) != "dead" or not copy.is_dir():
            raise LabError(f"{node} is {self.status(node)}: only a dead broker's copy of {copy.name} can be deleted")
        shutil.rmtree(copy)
        return f"deleted {copy.name} of {node}"
