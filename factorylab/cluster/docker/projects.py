"""What a lab has on the engine: everything with its project's label, as compose itself marks it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from factorylab.cluster.docker.engine import asking
from factorylab.core.errors import EnvironmentUnfit, LabError

if TYPE_CHECKING:
    from docker import DockerClient

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
REMOVED_S = 20.0


def containers(client: DockerClient, project: str) -> dict[str, str]:
    """Ids of the project's containers that were started, by service."""
    with asking("listing containers"):
        found = client.api.containers(all=True, filters={"label": f"{PROJECT_LABEL}={project}"})
    return {c["Labels"][SERVICE_LABEL]: c["Id"] for c in found if c["State"] != "created"}


def exists(client: DockerClient, project: str) -> bool:
    """Is anything of the project there?"""
    mine = {"label": f"{PROJECT_LABEL}={project}"}
    with asking(f"looking for {project}"):
        return bool(
            client.api.containers(all=True, quiet=True, filters=mine)
            or client.api.networks(filters=mine)
            or client.api.volumes(filters=mine)["Volumes"]
        )


def remove(client: DockerClient, project: str) -> list[str]:
    """End and remove every container, network and volume of a project; the names of its containers' services.

    It looks again until nothing is left, since what was being created a moment ago may come later, and something that
    is just being removed by others is in the way of the rest.

    Raises:
        LabError: the engine refuses to remove something, or something new keeps coming.
        EnvironmentUnfit: it does not answer: some of it may be left.
    """
    names: set[str] = set()
    refused: LabError | None = None
    deadline: float | None = None  # counted from the end of the first round: a slow engine takes long for that
    while exists(client, project):
        if deadline and time.monotonic() > deadline:
            raise refused or LabError(f"{project} is not gone after {REMOVED_S:g} s: something keeps starting it")
        refused = None
        try:
            names |= _sweep(client, project)
        except EnvironmentUnfit:
            raise
        except LabError as error:
            refused = error
        deadline = deadline or time.monotonic() + REMOVED_S
    return sorted(names)


def _sweep(client: DockerClient, project: str) -> set[str]:
    mine = {"label": f"{PROJECT_LABEL}={project}"}
    with asking(f"removing {project}"):
        found = client.api.containers(all=True, filters=mine)
        for container in found:
            client.api.remove_container(container["Id"], force=True, v=True)
        for network in client.api.networks(filters=mine):
            client.api.remove_network(network["Id"])
        for volume in client.api.volumes(filters=mine)["Volumes"] or []:
            client.api.remove_volume(volume["Name"], force=True)
    return {container["Labels"].get(SERVICE_LABEL, container["Id"][:12]) for container in found}


def networks_in_use(client: DockerClient) -> list[str]:
    """The address ranges that the engine has given to networks."""
    with asking("listing networks"):
        found = client.api.networks()
    return [part["Subnet"] for net in found for part in (net["IPAM"]["Config"] or []) if "Subnet" in part]
