"""The backend `compose`: the services of compose.yaml on this machine's Docker engine.

A lab has a project of its own, named after its folder, with ports and a network of its own, so that several labs do
not meet. Its settings are in `.lab/compose.env` (mode 600), so that `docker compose` can be used on it by hand:

    docker compose --project-name … --env-file .lab/compose.env ps
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
import signal
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from factorylab.cluster import boot, control, folders, leftovers
from factorylab.cluster.backend_registry import BACKENDS
from factorylab.cluster.base import Progress, Role, WorkerSpec
from factorylab.cluster.control import Child
from factorylab.cluster.database_address import url_of
from factorylab.cluster.docker import engine, images, projects
from factorylab.cluster.docker.creation import FILE, PLAN, SETTINGS, Plan
from factorylab.cluster.driver import WATCH_S, Driver, process_of
from factorylab.cluster.local import ports
from factorylab.cluster.places import INNER_PORT, Places
from factorylab.cluster.settings import Settings
from factorylab.core import environment
from factorylab.core.errors import EnvironmentUnfit, LabError
from factorylab.core.files import write_durably, write_secret
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.scenarios.faults.kind import Need

if TYPE_CHECKING:
    from docker import DockerClient

SERVICES: dict[str, Role] = {
    **{f"broker-{number}": "broker" for number in range(1, ports.BROKERS + 1)},
    "database": "database",
}
INNER_BOOTSTRAP = ",".join(f"{name}:{INNER_PORT}" for name, role in SERVICES.items() if role == "broker")
NETWORKS = ipaddress.ip_network("10.64.0.0/10")
TRIES = 64
ACCOUNT_ID = 10_001  # who workers run as where the lab is root's: nobody, as in the image
STOP_S = 15.0
HEALTH_INTERVAL = "30s"  # the lab asks by itself; at every 3 s the checks take a tenth of a core from the experiment
CHECK_S = 10.0


class Service(msgspec.Struct, frozen=True):
    """What of a service of compose.yaml the lab needs to know."""

    image: str
    stop_signal: str = "SIGTERM"


class Named(msgspec.Struct, frozen=True):
    name: str


class Composed(msgspec.Struct, frozen=True):
    """compose.yaml as `docker compose config` resolves it."""

    services: dict[str, Service]
    networks: dict[str, Named]

    @property
    def images(self) -> dict[str, str]:
        """The image of each role."""
        return {
            "brokers": self.services["broker-1"].image,
            "the database": self.services["database"].image,
            "workers": self.services["processor-a"].image,
            "partitions": self.services["netfault"].image,
        }


@dataclass(frozen=True)
class FreshCompose:
    """A lab whose supervisor runs and whose containers are still to be made."""

    home: Path
    composed: Composed

    def start(self) -> None:
        children = []
        for name, role in SERVICES.items():
            number = signal.Signals[self.composed.services[name].stop_signal]
            log = str(self.home / "logs" / f"{name}.log")
            children.append(Child(name, role, [], {}, log, str(self.home), number, STOP_S))
        control.ask(self.home, control.Start(children), timeout_s=300)


class ComposeCluster(Driver):
    """A lab of containers. Worker processes are containers too, the probe is a process of this host."""

    backend = "compose"
    stands_at_steps = False  # the first process of a container cannot stop itself

    @classmethod
    def prepare(
        cls, settings: Settings, needs: Collection[Need], kafka: KafkaVersion | None, progress: Progress
    ) -> FreshCompose:
        return prepare(settings, kafka, progress)

    @classmethod
    def why_not(cls, settings: Settings, kafka: KafkaVersion | None = None) -> str:
        try:
            with closing(engine.connect(CHECK_S)) as client:
                any_password = {"FACTORYLAB_DATABASE_PASSWORD": "unused"}
                names = resolve(project_of(settings.home), images.of_version(kafka) | any_password).images
                images.check_available(client, names)
        except LabError as error:
            return str(error)
        return ""

    def child(self, worker: WorkerSpec) -> Child:
        if worker.role == "probe":
            return process_of(worker)
        return Child(
            name=worker.name,
            role=worker.role,
            argv=["python", "-m", worker.module],
            env=dict(worker.env),
            log=str(worker.log),
            cwd=str(self.home),
            stop_s=worker.stop_s,
            user=_account(worker.paths),
            paths=[str(path) for path in worker.paths],
        )

    def start_factory(self, workers: Sequence[WorkerSpec]) -> None:
        """The services of compose.yaml that are called as the workers are."""
        children = [
            Child(w.name, w.role, [], {}, str(w.log), str(self.home), stop_s=w.stop_s, outlives_driver=True)
            for w in workers
        ]
        control.ask(self.home, control.Start(children, watch_s=WATCH_S), timeout_s=300)


def _account(paths: Sequence[Path]) -> int:
    """Who the worker runs as: the owner of the folders that it writes to, who is never root."""
    folders = [path for path in paths if path.is_dir()]
    if os.geteuid() == 0:
        for folder in folders:
            if folder.stat().st_uid == 0:
                os.chown(folder, ACCOUNT_ID, ACCOUNT_ID)
    owners = {folder.stat().st_uid for folder in folders}
    return owners.pop() if owners else ACCOUNT_ID


def prepare(settings: Settings, kafka: KafkaVersion | None, progress: Progress) -> FreshCompose:
    """Everything up to a running supervisor without containers.

    Raises:
        EnvironmentUnfit: engine, images, ports, write access or space are lacking; with the way out.
    """
    with closing(engine.connect()) as client:
        return _prepared(settings, client, kafka, progress)


def _prepared(settings: Settings, client: DockerClient, kafka: KafkaVersion | None, progress: Progress) -> FreshCompose:
    home = settings.home
    left = leftovers.clear(home)
    project = project_of(home)
    if projects.exists(client, project):
        left += projects.remove(client, project)
    if left:
        progress(f"cleaned up after a lab that had died ({', '.join(left)})", 0, 0)
    if data := engine.data_folder(client):
        folders.check_room(data, "a lab", folders.LAB_MB, engine.ROOM)
    places = ports.choose(home, settings.port_base, settings.cache / "ports")
    boot.empty(home)
    password = secrets.token_urlsafe(24)
    values = images.of_version(kafka) | _places(places, password, free_network(home, projects.networks_in_use(client)))
    write_secret(home / SETTINGS, "".join(f"{key}={value}\n" for key, value in values.items()))
    composed = resolve(project, values)
    names = composed.images
    images.ensure(client, names, progress)
    plan = Plan(project, composed.networks["lab"].name, names["workers"], names["partitions"])
    write_durably(home / PLAN, msgspec.json.encode(plan))
    bootstrap = ",".join(f"127.0.0.1:{place.port}" for place in places.brokers)
    known = boot.Known(
        bootstrap,
        url_of(places.database_port, password),
        backend="compose",
        worker_bootstrap=INNER_BOOTSTRAP,
        worker_database_url=url_of(5432, password, "database"),
        can=BACKENDS["compose"].can,
    )
    boot.launch(home, known)
    return FreshCompose(home, composed)


def project_of(home: Path) -> str:
    """The project's name: the same for the same folder, another for any other."""
    return f"factorylab-{hashlib.sha256(os.fsencode(home)).hexdigest()[:8]}"


def _places(places: Places, password: str, network: str) -> dict[str, str]:
    """compose.yaml's variables that are this lab's own."""
    numbered = {f"FACTORYLAB_BROKER_{place.number}_PORT": str(place.port) for place in places.brokers}
    return {
        **numbered,
        "FACTORYLAB_DATABASE_PORT": str(places.database_port),
        "FACTORYLAB_DATABASE_PASSWORD": password,
        "FACTORYLAB_NETWORK": network,
        "FACTORYLAB_HEALTH_INTERVAL": HEALTH_INTERVAL,
    }


def free_network(home: Path, taken: Sequence[str]) -> str:
    """The first three numbers of a network of 256 addresses that nothing on this machine uses.

    Raises:
        EnvironmentUnfit: none of those that were tried is free.
    """
    used = [ipaddress.ip_network(text) for text in taken]
    local = [a for card in psutil.net_if_addrs().values() for a in card if a.family.name == "AF_INET" and a.netmask]
    used += [ipaddress.ip_network(f"{a.address}/{a.netmask}", strict=False) for a in local]
    for number in range(TRIES):
        digest = hashlib.sha256(os.fsencode(home) + bytes([number])).digest()
        offset = int.from_bytes(digest[:4]) % (NETWORKS.num_addresses // 256) * 256
        found = ipaddress.ip_network(f"{NETWORKS[offset]}/24")
        if not any(net.version == found.version and net.overlaps(found) for net in used):
            return str(found.network_address).rpartition(".")[0]
    raise EnvironmentUnfit(f"no free network in {NETWORKS}: 'docker network prune' removes those that nobody uses")


def resolve(project: str, settings: Mapping[str, str]) -> Composed:
    """What compose.yaml means with these values of its variables.

    Raises:
        EnvironmentUnfit: there is no compose plugin, or it refuses the file.
    """
    if not FILE.exists():
        raise EnvironmentUnfit(f"there is no {FILE}: the backend compose runs from a checkout of the project")
    words = [
        "compose",
        "--project-name",
        project,
        "--file",
        str(FILE),
        "--env-file",
        os.devnull,
        "--progress",
        "plain",
        "--profile",
        "*",
    ]
    done = engine.command(*words, "config", "--format", "json", env=environment.docker() | dict(settings))
    if "unknown flag" in done.stderr or "unknown shorthand" in done.stderr:
        raise EnvironmentUnfit(
            f"Docker's plugin 'compose' is too old ({done.stderr.strip()}): update it, {engine.INSTEAD}"
        )
    if done.returncode != 0:
        raise EnvironmentUnfit(f"{FILE} cannot be used: {done.stderr.strip()}")
    return msgspec.json.decode(done.stdout, type=Composed)
