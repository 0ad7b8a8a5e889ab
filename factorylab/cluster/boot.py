"""A new lab in its folder: what earlier ones left goes, everything is made, and the supervisor is launched.

All that takes long (downloads, the class cache) comes before anything starts, so a failure leaves nothing running.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from factorylab.cluster import control, descriptors, leftovers
from factorylab.cluster.base import Action, Endpoints, Progress
from factorylab.cluster.capabilities import OF_PROCESSES
from factorylab.cluster.control import Child
from factorylab.cluster.local import java, ports, postgres
from factorylab.cluster.local.kafka_config import write_node
from factorylab.cluster.network import addresses, volume
from factorylab.core import environment
from factorylab.core.errors import EnvironmentUnfit, StartFailed
from factorylab.core.files import last_lines, read_json, write_secret

if TYPE_CHECKING:
    from factorylab.cluster.settings import Settings

ENDPOINTS = "endpoints.json"
BROKER_STOP_S = 15
LAUNCH_S = 30


class Known(msgspec.Struct, frozen=True):
    """What endpoints.json holds: where clients connect, where workers do unless it is the same, what the lab can do."""

    bootstrap: str
    database_url: str
    backend: Literal["local", "compose"] = "local"
    worker_bootstrap: str = ""
    worker_database_url: str = ""
    can: tuple[Action, ...] = OF_PROCESSES

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(self.bootstrap, self.database_url)

    @property
    def worker_endpoints(self) -> Endpoints:
        return Endpoints(self.worker_bootstrap or self.bootstrap, self.worker_database_url or self.database_url)


@dataclass(frozen=True)
class FreshLab:
    """A lab whose supervisor runs and whose children are still to be started."""

    home: Path
    kit: java.Kit
    places: ports.Places
    server: postgres.Server
    password: str
    isolated: bool
    small_disk: bool

    def start(self) -> None:
        """Start the brokers, and PostgreSQL beside them as soon as its data folder is made."""
        hub, subnet = (addresses.HUB, addresses.CIDR) if self.isolated else (None, None)
        if self.isolated:
            control.ask(self.home, control.Isolate(addresses.doors(self.places)))
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
            postgres.use_small_disk(postgres.url(self.places.database_port, self.password), folder / volume.TABLES)

    def _brokers(self) -> list[Child]:
        children = []
        for place in self.places.brokers:
            name = f"broker-{place.number}"
            folder = self.home / "data" / name
            write_node(folder, place, self.places.brokers, self.kit.checkpoint)
            log = self.home / "logs" / f"{name}.log"
            children.append(
                Child(name, "broker", self.kit.command(), java.ENVIRONMENT, str(log), str(folder), stop_s=BROKER_STOP_S)
            )
        return children


def prepare(settings: Settings, progress: Progress, *, own_network: bool = False, small_disk: bool = False) -> FreshLab:
    """Everything up to a running supervisor without children; `own_network` makes it an isolated lab, `small_disk` one
    whose tables have a small file system of their own.

    Raises:
        EnvironmentUnfit: downloads, ports, accounts, write access, space or open files are lacking; with the way out.
    """
    home = settings.home
    descriptors.check()
    binaries = postgres.find(settings.postgres_bin)
    left = leftovers.clear(home)
    if left:
        progress(f"cleaned up after a lab that had died ({', '.join(left)})", 0, 0)
    kit = java.ensure(settings.java, settings.cache, progress)
    if kit.note:
        progress(kit.note, 0, 0)
    places = ports.choose(home, settings.port_base, settings.cache / "ports")
    empty(home)
    server = postgres.prepare(binaries, home / "data" / "database")
    password = secrets.token_urlsafe(24)
    found = Known(",".join(p.bootstrap for p in places.brokers), postgres.url(places.database_port, password))
    if own_network:
        places = addresses.isolated(places)
        found = msgspec.structs.replace(
            found,
            worker_bootstrap=addresses.inner_bootstrap(places),
            worker_database_url=postgres.url(places.database_port, password, addresses.HUB),
            can=(*found.can, "partition"),
        )
    if small_disk:
        found = msgspec.structs.replace(found, can=(*found.can, "fill"))
    launch(home, found)
    return FreshLab(home, kit, places, server, password, own_network, small_disk)


def known(home: Path) -> Known:
    """What is written down about the lab that is up in `home`."""
    found = read_json(home / ENDPOINTS, Known)
    if found is None:
        raise EnvironmentUnfit(f"{home / ENDPOINTS} is gone: 'factorylab down', then 'factorylab up'")
    return found


def known_endpoints(home: Path) -> Endpoints:
    """Where programs of this host reach the lab that is up in `home`."""
    return known(home).endpoints


def empty(home: Path) -> None:
    """Drop the data of the lab before, keep its logs once."""
    try:
        for name in ("data", "undo", "logs.previous"):
            shutil.rmtree(home / name, ignore_errors=not (home / name).exists())
        if (home / "logs").exists():
            (home / "logs").rename(home / "logs.previous")
        (home / "logs").mkdir()
    except OSError as error:
        raise EnvironmentUnfit(
            f"cannot empty the lab's folder ({error.filename}: {error.strerror}); was it made by another user? "
            f"Remove {home}, or set FACTORYLAB_HOME"
        ) from error


def launch(home: Path, known: Known) -> None:
    """Write down where the lab will be, and start its supervisor; returns when that listens."""
    write_secret(home / ENDPOINTS, msgspec.json.encode(known).decode())
    write_secret(home / control.TOKEN, secrets.token_urlsafe(32))
    log = home / "logs" / "supervisor.log"
    command = [sys.executable, "-m", "factorylab.cluster.supervisor", str(home), known.backend]
    given = environment.python() | environment.docker()
    with log.open("ab") as output:
        done = subprocess.run(
            command, cwd=home, env=given, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            timeout=LAUNCH_S, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise StartFailed(f"the lab's supervisor did not start; the end of {log}:\n{last_lines(log)}")
