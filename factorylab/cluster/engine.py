"""The Docker engine that the backend `compose` runs on: found, checked, and never waited for without a deadline.

It must be this machine's own: journals are folders, clocks and process ids are the kernel's, and what happened to a
container is asked of the kernel. `docker` is imported when an engine is there, since the import alone costs 0.2 s.
"""

from __future__ import annotations

import errno
import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab.errors import EnvironmentUnfit, LabError

if TYPE_CHECKING:
    from docker import DockerClient

ANSWER_S = 20.0  # longer than a busy engine takes for anything that the lab asks of it
KNOCK_S = 2.0
REMOVED_S = 20.0
LEAST = (20, 10)
POOL = 32  # threads that talk to the engine at once
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
INSTEAD = "or take --backend local, which needs no engine"
REFUSALS = {
    errno.ENOENT: "no Docker engine runs here ({address} is not there): start one, " + INSTEAD,
    errno.ECONNREFUSED: "no Docker engine answers at {address}: start it, " + INSTEAD,
    errno.EACCES: "this account may not use the Docker engine at {address}: add it to the group docker "
    "(sudo usermod -aG docker $USER, then log in again), " + INSTEAD,
}


def address() -> str:
    """Where the engine listens: DOCKER_HOST, else the endpoint of the context that `docker context use` chose."""
    if named := os.environ.get("DOCKER_HOST"):
        return named
    configured = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if os.environ.get("DOCKER_CONTEXT") or (configured.exists() and "currentContext" in configured.read_text()):
        from docker.context import ContextAPI

        if context := ContextAPI.get_context(os.environ.get("DOCKER_CONTEXT")):
            return str(context.Host)
    return DEFAULT_SOCKET


def knock() -> str:
    """The address of an engine that listens here.

    Raises:
        EnvironmentUnfit: there is none, or not for this account, with the way out.
    """
    found = address()
    kind, _, path = found.partition("://")
    if kind != "unix" or platform.system() != "Linux":
        raise EnvironmentUnfit(
            f"the Docker engine at {found} is not this machine's own: journals, clocks and evidence need one that is. "
            f"Unset DOCKER_HOST, {INSTEAD}"
        )
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(KNOCK_S)
            line.connect(path)
    except OSError as error:
        said = REFUSALS.get(error.errno or 0, f"the Docker engine at {{address}} does not answer ({error}), {INSTEAD}")
        raise EnvironmentUnfit(said.format(address=found)) from None
    return found


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn the engine's errors into the lab's.

    Raises:
        LabError: the engine refused, with what it said.
        EnvironmentUnfit: it is gone, or did not answer in time.
    """
    from docker.errors import APIError, DockerException
    from requests import RequestException

    try:
        yield
    except APIError as error:
        raise LabError(f"{what}: the Docker engine refused: {error.explanation or error}") from error
    except (DockerException, RequestException, OSError) as error:
        raise EnvironmentUnfit(
            f"{what}: the Docker engine does not answer ({type(error).__name__}: {error}). See its log and start it "
            "again; then 'factorylab down' cleans up what is left"
        ) from error


def client_of(where: str, answer_s: float) -> DockerClient:
    import docker

    return docker.DockerClient(base_url=where, timeout=answer_s, max_pool_size=POOL)


def connect(answer_s: float = ANSWER_S) -> DockerClient:
    """A client of this machine's engine; a call that takes longer than `answer_s` fails.

    Raises:
        EnvironmentUnfit: there is no engine, it is too old, or another machine's.
    """
    where = knock()
    with asking("connecting"):
        client = client_of(where, answer_s)
        version = client.version()
    numbers = tuple(int(part) for part in version["Version"].split(".")[:2])
    if numbers < LEAST:
        raise EnvironmentUnfit(
            f"the Docker engine is {version['Version']}, and the lab needs {LEAST[0]}.{LEAST[1]} or newer: update it, "
            + INSTEAD
        )
    if version["KernelVersion"] != platform.release():
        raise EnvironmentUnfit(
            f"the Docker engine at {where} runs on another kernel ({version['KernelVersion']}, here "
            f"{platform.release()}): take an engine without a virtual machine around it, {INSTEAD}"
        )
    return client


def command(*words: str, env: Mapping[str, str], timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run `docker` with these words.

    Raises:
        EnvironmentUnfit: the command or a plugin of it is missing, or it took too long.
    """
    if shutil.which("docker") is None:
        raise EnvironmentUnfit(f"there is no command 'docker': install Docker's command line, {INSTEAD}")
    line = ["docker", *words]
    try:
        done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise EnvironmentUnfit(f"'docker {words[0]}' took longer than {timeout_s:g} s") from None
    if "is not a docker command" in done.stderr or "unknown flag: --project-name" in done.stderr:
        raise EnvironmentUnfit(f"Docker has no plugin '{words[0]}': install docker-{words[0]}-plugin, {INSTEAD}")
    return done


def cli_environment() -> dict[str, str]:
    """What `docker` needs of this process's environment, and nothing that would change a lab's settings."""
    wanted = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
    return {
        key: value
        for key, value in os.environ.items()
        if key in wanted or (key.startswith("DOCKER_") and key != "DOCKER_DEFAULT_PLATFORM")
    }


def missing_images(client: DockerClient, names: set[str]) -> list[str]:
    """Those of `names` that the engine does not hold."""
    from docker.errors import ImageNotFound

    def held(name: str) -> bool:
        try:
            client.images.get(name)
        except ImageNotFound:
            return False
        return True

    with asking("looking for images"):
        return sorted(name for name in names if not held(name))


def check_available(client: DockerClient, names: Sequence[str]) -> None:
    """Can images that are not here be pulled? Nothing is fetched but their descriptions.

    Raises:
        EnvironmentUnfit: one of them cannot.
    """
    from docker.errors import APIError

    for name in names:
        with asking(f"looking for {name}"):
            try:
                client.images.get_registry_data(name)
            except APIError:
                raise EnvironmentUnfit(f"the image {name} is not here and cannot be pulled") from None


def pull(name: str, within_s: float) -> None:
    """Fetch an image.

    Raises:
        EnvironmentUnfit: it cannot be had; with what the engine said.
    """
    from docker.errors import APIError

    with asking(f"pulling {name}"):
        patient = client_of(knock(), within_s)
        try:
            patient.images.pull(name)
        except APIError as error:
            raise EnvironmentUnfit(
                f"the image {name} is not there and cannot be pulled ({error.explanation or error}). Where there is no "
                f"registry, .ci/images makes all images; {INSTEAD}"
            ) from None


def remains(client: DockerClient, project: str) -> bool:
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
        LabError: the engine refuses to remove something.
        EnvironmentUnfit: it does not answer: some of it may be left.
    """
    names: set[str] = set()
    deadline = time.monotonic() + REMOVED_S
    while remains(client, project):
        try:
            names |= _sweep(client, project)
        except EnvironmentUnfit:
            raise
        except LabError:
            if time.monotonic() > deadline:
                raise
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
