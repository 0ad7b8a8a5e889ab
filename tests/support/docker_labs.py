"""Labs on Docker: what the engine has of them, and drivers in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from factorylab.cluster.docker import engine, projects
from factorylab.cluster.docker.compose import ComposeCluster, project_of
from factorylab.core.waiting import wait_until
from tests.support.labs import kill, left_of, shell

BROKERS = ["broker-1", "broker-2", "broker-3"]
NODES = [*BROKERS, "database"]
GONE_S = 30  # what is promised after the death of a driver
DRIVER = """
import sys, time
from pathlib import Path
from factorylab.cluster.base import Cut
from factorylab.cluster.docker.compose import ComposeCluster
from factorylab.cluster.settings import load_settings

home, last, *words = sys.argv[1:]
lab = ComposeCluster.up(load_settings().model_copy(update={"home": Path(home)}), keep="keep" in words)
steps = {
    "up": lambda: None,
    "paused": lambda: lab.inject(1, "broker-1", "pause"),
    "cut": lambda: lab.inject(2, "broker-2", "partition", Cut("everybody")),
    "disconnected": lambda: lab.inject(3, "broker-3", "disconnect"),
    "killed": lambda: lab.inject(4, "database", "kill"),
}
for name, do in steps.items():
    do()
    if name == last:
        break
print("reached", flush=True)
time.sleep(600)
"""


def of_project(home: Path) -> list[str]:
    """Everything that the engine has of a lab: containers, networks, volumes."""
    mine = {"label": f"{projects.PROJECT_LABEL}={project_of(home)}"}
    with closing(engine.connect()) as client:
        found = [container["Names"][0] for container in client.api.containers(all=True, filters=mine)]
        found += [network["Name"] for network in client.api.networks(filters=mine)]
        return found + [volume["Name"] for volume in client.api.volumes(filters=mine)["Volumes"] or []]


def wait_status(lab: ComposeCluster, name: str, status: str) -> None:
    wait_until(lambda: lab.status(name) == status, what=f"{name} to be {status}", timeout_s=30)


def wait_nothing_of(home: Path) -> None:
    wait_until(
        lambda: not of_project(home) and not left_of(home),
        what=f"nothing to be left of {home}",
        timeout_s=GONE_S,
        last_seen=lambda: f"{of_project(home)} {left_of(home)}",
    )


def driver_at(home: Path, last: str, *words: str) -> subprocess.Popen[str]:
    """A driver in a process of its own, as far as step `last`."""
    command = [sys.executable, "-c", DRIVER, str(home), last, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=shell())
    if last == "starting":
        wait_until(lambda: of_project(home), what="the first containers", timeout_s=90)
        return process
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != "reached\n":
        kill(process)
    assert said == "reached\n"
    return process
