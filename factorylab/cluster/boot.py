"""A new lab in its folder: what earlier ones left goes, everything is made, and the supervisor is launched.

All that takes long (downloads, the class cache) comes before anything starts, so a failure leaves nothing running.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from factorylab.cluster import control, java, ports, postgres
from factorylab.cluster.base import Endpoints, Progress
from factorylab.cluster.control import Child
from factorylab.cluster.files import last_lines, read_json, write_secret
from factorylab.cluster.kafka_config import write_node
from factorylab.errors import EnvironmentUnfit, StartFailed

if TYPE_CHECKING:
    from factorylab.settings import Settings

ENDPOINTS = "endpoints.json"
FREE_MB = 1_024
BROKER_STOP_S = 15
LAUNCH_S = 30


class Known(msgspec.Struct, frozen=True):
    """What endpoints.json holds."""

    bootstrap: str
    database_url: str


@dataclass(frozen=True)
class FreshLab:
    """A lab whose supervisor runs and whose children are still to be started."""

    home: Path
    endpoints: Endpoints
    kit: java.Kit
    places: ports.Places
    server: postgres.Server
    password: str

    def start(self) -> None:
        """Start the brokers, and PostgreSQL beside them as soon as its data folder is made."""
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(self.server.initialise, self.password)
            control.ask(self.home, control.Start(self._brokers()))
            made.result()
        database = self.server.child(self.places.database_port, self.home / "logs" / "database.log")
        control.ask(self.home, control.Start([database]))

    def _brokers(self) -> list[Child]:
        children = []
        for place in self.places.brokers:
            name = f"broker-{place.number}"
            config = write_node(self.home / "data" / name, place, self.places.brokers, self.kit.checkpoint)
            env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
            log = self.home / "logs" / f"{name}.log"
            argv = self.kit.command(config)
            children.append(Child(name, "broker", argv, env, str(log), str(config.parent), stop_s=BROKER_STOP_S))
        return children


def prepare(settings: Settings, progress: Progress) -> FreshLab:
    """Everything up to a running supervisor without children.

    Raises:
        EnvironmentUnfit: downloads, ports, accounts, write access or space are lacking; with the way out.
    """
    home = settings.home
    left = control.remove_remains(home)
    if left:
        progress(f"cleaned up after a lab that had died ({', '.join(left)})", 1, 1)
    _check_space(home)
    kit = java.ensure(settings.java, settings.cache, progress)
    if kit.note:
        progress(kit.note, 1, 1)
    places = ports.choose(home, settings.port_base)
    _empty(home)
    server = postgres.prepare(settings.postgres_bin, home / "data" / "database")
    password = secrets.token_urlsafe(24)
    known = Known(",".join(p.bootstrap for p in places.brokers), postgres.url(places.database_port, password))
    write_secret(home / ENDPOINTS, msgspec.json.encode(known).decode())
    write_secret(home / control.TOKEN, secrets.token_urlsafe(32))
    launch(home)
    return FreshLab(home, Endpoints(known.bootstrap, known.database_url), kit, places, server, password)


def known_endpoints(home: Path) -> Endpoints:
    """Where the lab that is up in `home` can be reached."""
    known = read_json(home / ENDPOINTS, Known)
    if known is None:
        raise EnvironmentUnfit(f"{home / ENDPOINTS} is gone: 'factorylab down', then 'factorylab up'")
    return Endpoints(known.bootstrap, known.database_url)


def _check_space(home: Path) -> None:
    free = shutil.disk_usage(home).free // 2**20
    if free < FREE_MB:
        raise EnvironmentUnfit(
            f"{home} has {free} MB of free space and a lab needs {FREE_MB} MB: make room, or set FACTORYLAB_HOME"
        )


def _empty(home: Path) -> None:
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


def launch(home: Path) -> None:
    """Start the supervisor; returns when it listens."""
    log = home / "logs" / "supervisor.log"
    command = [sys.executable, "-m", "factorylab.cluster.supervisor", str(home)]
    with log.open("ab") as output:
        done = subprocess.run(
            command, cwd=home, env=control.environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            timeout=LAUNCH_S, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise StartFailed(f"the lab's supervisor did not start; the end of {log}:\n{last_lines(log)}")
