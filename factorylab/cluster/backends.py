"""Which backend a lab runs on, in one place.

A lab that is up decides for itself. Else `backend` of the settings does, and with `auto`: compose where an engine
answers and its images are there or can be pulled, local everywhere else; which one and why is said in one line.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection
from typing import cast

from factorylab.cluster import boot, control
from factorylab.cluster.backend_registry import BACKENDS, BackendName
from factorylab.cluster.base import Progress
from factorylab.cluster.capabilities import require, require_own
from factorylab.cluster.driver import Driver, quiet
from factorylab.cluster.settings import Settings
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.model import Fault


def driver_class(backend: BackendName) -> type[Driver]:
    """What drives its labs. Here and not in the registry, which the settings of a driver are made from."""
    return cast("type[Driver]", pkgutil.resolve_name(BACKENDS[backend].driver))


def choose(settings: Settings, say: Callable[[str], None], kafka: KafkaVersion | None = None) -> BackendName:
    """The backend for the lab of `settings.home`, with brokers of this version.

    Raises:
        EnvironmentUnfit: the lab that is up there runs on another one than the settings ask for.
    """
    if control.living_state(settings.home):
        found = boot.known(settings.home).backend
        if settings.backend not in {"auto", found}:
            raise EnvironmentUnfit(
                f"the lab that is up in {settings.home} runs on the backend {found}, not on {settings.backend}: end it "
                "with 'factorylab down', or leave --backend out"
            )
        return found
    if settings.backend != "auto":
        return settings.backend
    reason = driver_class("compose").why_not(settings, kafka)
    say(f"backend local: {reason}" if reason else "backend compose: a Docker engine answers and the images are there")
    return "local" if reason else "compose"


def bring_up(
    settings: Settings,
    *,
    faults: Collection[Fault] = (),
    isolated: bool = False,
    small_disk: bool = False,
    kafka: KafkaVersion | None = None,
    keep: bool = False,
    of_run: bool = False,
    progress: Progress = quiet,
) -> Driver:
    """Start the lab of `settings.home`, or attach to it when it is up; returns when all of it answers.

    It can do all of `faults`. `isolated`: it can cut its nodes off; on Docker it always can. `small_disk`: the
    database's can be filled. `kafka`: the version of its brokers; None: of the lab that is up, else the default.
    `keep`: it stays up even when this process vanishes. `of_run`: it is for runs, and ends
    with them.

    Raises:
        LabBusy: another process uses it.
        EnvironmentUnfit: this machine, or the lab that is up, cannot do it, with the way out.
    """
    backend = choose(settings, lambda text: progress(text, 0, 0), kafka)
    require_own(backend, faults, of_run=of_run)
    wanted = {fault.kind for fault in faults}
    wanted |= {"partition"} if isolated else set()
    wanted |= {"fill"} if small_disk else set()
    if control.living_state(settings.home):
        require(wanted, boot.known(settings.home).can, f"the {backend} lab that is up in {settings.home}")
    require(wanted, BACKENDS[backend].can, f"the backend {backend}")
    needs = frozenset(FAULT_KINDS[kind].needs for kind in wanted)
    return driver_class(backend).up(settings, needs=needs, kafka=kafka, keep=keep, progress=progress)
