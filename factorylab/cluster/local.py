"""The backend `local`: three Kafka brokers and PostgreSQL as child processes of a supervisor, on loopback."""

from __future__ import annotations

from functools import partial
from typing import Self

from factorylab.cluster import boot, control
from factorylab.cluster.base import Progress
from factorylab.cluster.children import NO_CUT
from factorylab.cluster.driver import Driver, quiet
from factorylab.errors import EnvironmentUnfit
from factorylab.settings import Settings


class LocalCluster(Driver):
    """A lab of child processes."""

    backend = "local"

    @classmethod
    def up(cls, settings: Settings, *, keep: bool = False, isolated: bool = False, progress: Progress = quiet) -> Self:
        """Start the lab of `settings.home`, or attach to it when it is up; returns when all of it answers.

        `keep`: it stays up even when this process vanishes. `isolated`: its nodes have a network of their own, in which
        partitions can be made.

        Raises:
            LabBusy: another process uses it.
            EnvironmentUnfit: this machine cannot run it as it is, with the way out.
        """
        if isolated and control.living_state(settings.home) and "partition" not in boot.known(settings.home).can:
            raise EnvironmentUnfit(f"the lab that is up in {settings.home} cannot do it: {NO_CUT['partition']}")
        prepare = partial(boot.prepare, own_network=isolated)
        return cls.bring(settings, prepare, keep=keep, progress=progress)
