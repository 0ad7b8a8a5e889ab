"""A new lab in its folder, whatever its backend: where it is to be found, what earlier ones left, its supervisor."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from factorylab.cluster import control
from factorylab.cluster.base import Endpoints
from factorylab.core import environment
from factorylab.core.errors import EnvironmentUnfit, StartFailed
from factorylab.core.files import last_lines, read_json, write_secret
from factorylab.scenarios.fault_catalog import KindName, possible

ENDPOINTS = "endpoints.json"
LAUNCH_S = 30


class Known(msgspec.Struct, frozen=True):
    """What endpoints.json holds: where clients connect, where workers do unless it is the same, what the lab can do."""

    bootstrap: str
    database_url: str
    backend: str = "local"
    worker_bootstrap: str = ""
    worker_database_url: str = ""
    can: tuple[KindName, ...] = possible(())
    numbers: tuple[int, ...] = ()  # of the brokers, in the order of `bootstrap`, where they do not count from 1
    prefix: str = ""

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(self.bootstrap, self.database_url)

    @property
    def worker_endpoints(self) -> Endpoints:
        return Endpoints(self.worker_bootstrap or self.bootstrap, self.worker_database_url or self.database_url)


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
