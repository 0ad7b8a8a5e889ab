"""A new lab of processes: everything is made, then its supervisor is launched.

All that takes long (downloads, the class cache) comes before anything starts, so a failure leaves nothing running.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from factorylab.cluster import boot, control, descriptors, leftovers
from factorylab.cluster.base import Progress
from factorylab.cluster.control import Child
from factorylab.cluster.database_address import url_of
from factorylab.cluster.local import java, ports, postgres
from factorylab.cluster.local.kafka_config import write_node
from factorylab.cluster.network import addresses, volume
from factorylab.cluster.places import Places
from factorylab.cluster.settings import Settings
from factorylab.core.kafka_versions import KAFKA_VERSIONS, KafkaVersion
from factorylab.scenarios.fault_catalog import possible
from factorylab.scenarios.faults.kind import Need

BROKER_STOP_S = 15


@dataclass(frozen=True)
class FreshLab:
    """A lab whose supervisor runs and whose children are still to be started. Its brokers start as `kafka`; where
    `kits` has more versions, they can change to those."""

    home: Path
    kits: Mapping[KafkaVersion, java.Kit]
    kafka: KafkaVersion
    places: Places
    server: postgres.Server
    password: str
    isolated: bool
    small_disk: bool

    def start(self) -> None:
        """Start the brokers, and PostgreSQL beside them as soon as its data folder is made."""
        hub, subnet = (addresses.HUB, addresses.CIDR) if self.isolated else (None, None)
        if self.isolated:
            control.ask(self.home, control.Isolate(addresses.forwarded_ports(self.places)))
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(self.server.initialise, self.password, subnet)
            control.ask(self.home, control.Start(self._brokers()))
            made.result()
        database = self.server.child(self.places.database_port, self.home / "logs" / "database.log", hub)
        if self.small_disk:
            folder = self.server.small_disk()
            control.ask(self.home, control.SmallDisk(str(folder), self.server.owner))
        control.ask(self.home, control.Start([database]))
        if self.small_disk:
            postgres.use_small_disk(url_of(self.places.database_port, self.password), folder / volume.TABLES)

    def _brokers(self) -> list[Child]:
        children, kit = [], self.kits[self.kafka]
        versions = {name: one.command() for name, one in self.kits.items()} if len(self.kits) > 1 else {}
        for place in self.places.brokers:
            name = f"broker-{place.number}"
            folder = self.home / "data" / name
            write_node(folder, place, self.places.brokers, kit.kafka, kit.checkpoint)
            log = self.home / "logs" / f"{name}.log"
            argv, stop_s = kit.command(), BROKER_STOP_S
            children.append(
                Child(name, "broker", argv, java.ENVIRONMENT, str(log), str(folder), stop_s=stop_s, versions=versions)
            )
        return children


def prepare(settings: Settings, needs: Collection[Need], kafka: KafkaVersion, progress: Progress) -> FreshLab:
    """Everything up to a running supervisor without children, with brokers of the version `kafka`.

    With "network" in `needs` it is an isolated lab, with "small_disk" one whose tables have a small file system of
    their own, with "versions" one whose brokers can change to each known version.

    Raises:
        EnvironmentUnfit: downloads, ports, accounts, write access, space or open files are lacking; with the way out.
    """
    home = settings.home
    descriptors.check()
    binaries = postgres.find(settings.postgres_bin)
    left = leftovers.clear(home)
    if left:
        progress(f"cleaned up after a lab that had died ({', '.join(left)})", 0, 0)
    wanted = KAFKA_VERSIONS if "versions" in needs else (kafka,)
    kits = {name: java.ensure(settings.java, settings.cache, progress, name) for name in wanted}
    for kit in kits.values():
        if kit.note:
            progress(kit.note, 0, 0)
    places = ports.choose(home, settings.port_base, settings.cache / "ports")
    boot.empty(home)
    server = postgres.prepare(binaries, home / "data" / "database")
    password = secrets.token_urlsafe(24)
    found = boot.Known(",".join(p.bootstrap for p in places.brokers), url_of(places.database_port, password))
    isolated, small_disk = "network" in needs, "small_disk" in needs
    if isolated:
        places = addresses.isolated(places)
        found = msgspec.structs.replace(
            found,
            worker_bootstrap=addresses.inner_bootstrap(places),
            worker_database_url=url_of(places.database_port, password, addresses.HUB),
        )
    found = msgspec.structs.replace(found, can=possible(needs))
    boot.launch(home, found)
    return FreshLab(home, kits, kafka, places, server, password, isolated, small_disk)
