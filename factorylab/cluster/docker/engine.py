"""The Docker engine that the backend `compose` runs on: found, checked, and never waited for without a deadline.

It must be this machine's own: journals are folders, clocks and process ids are the kernel's, and what happened to a
container is asked of the kernel. `docker` is imported when an engine is there, since the import alone costs 0.2 s.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab.core.errors import EnvironmentUnfit, LabError

if TYPE_CHECKING:
    from docker import DockerClient

ANSWER_S = 10.0  # longer than a busy engine takes for anything that the lab asks of it
KNOCK_S = 2.0
LEAST, LEAST_API = (20, 10), "1.41"
POOL = 32  # threads that talk to the engine at once
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
NO_SPACE = "no space left on device"
ROOM = "make room where the engine keeps its data: 'docker system df' shows what takes it, 'docker system prune' helps"
NO_PLUGIN = ("is not a docker command", "unknown command: docker", "unknown flag: --project-name")
INSTEAD = "or use --backend local, which needs no engine"
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
        EnvironmentUnfit: it has no space left, is gone, or did not answer in time.
    """
    from docker.errors import APIError, DockerException
    from requests import RequestException

    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        if room := room_if_full(said):
            raise EnvironmentUnfit(f"{what}: {said}{room}") from error
        raise LabError(f"{what}: the Docker engine refused: {said}") from error
    except (DockerException, RequestException, OSError) as error:
        raise EnvironmentUnfit(
            f"{what}: the Docker engine does not answer ({_in_words(error)}). See its log and start it again; then "
            "'factorylab heal' undoes what is broken, and 'factorylab down' ends what is left"
        ) from error


def room_if_full(said: str) -> str:
    """The way out, to be put after what was `said`, where the reason is a full disk."""
    return f": {ROOM}" if NO_SPACE in said.lower() else ""


def _in_words(error: Exception) -> str:
    """What happened to a connection, without the names of the library's classes where that can be."""
    from docker.errors import APIError
    from requests import RequestException, Timeout

    if isinstance(error, APIError):
        return str(error.explanation or error)
    if isinstance(error, Timeout) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, (RequestException, OSError)):
        return "the connection failed or was closed"
    return f"{type(error).__name__}: {error}"


def client_of(where: str, answer_s: float, api: str | None = None) -> DockerClient:
    """A client that speaks version `api` of the engine's interface; None: asks the engine for it."""
    import docker

    return docker.DockerClient(base_url=where, timeout=answer_s, max_pool_size=POOL, version=api)


def connect(answer_s: float = ANSWER_S) -> DockerClient:
    """A client of this machine's engine; a call that takes longer than `answer_s` fails.

    Raises:
        EnvironmentUnfit: there is no engine, it does not answer, is too old, or another machine's.
    """
    where = knock()
    version = _version(where, answer_s)
    numbers = re.match(r"(\d+)\.(\d+)", version["Version"])  # what somebody built himself may have none
    if numbers and tuple(map(int, numbers.groups())) < LEAST:
        raise EnvironmentUnfit(
            f"the Docker engine is {version['Version']}, and the lab needs {LEAST[0]}.{LEAST[1]} or newer: update it, "
            + INSTEAD
        )
    if version["KernelVersion"] != platform.release():
        raise EnvironmentUnfit(
            f"the Docker engine at {where} runs on another kernel ({version['KernelVersion']}, here "
            f"{platform.release()}): take an engine without a virtual machine around it, {INSTEAD}"
        )
    with asking("connecting"):
        return client_of(where, answer_s, version["ApiVersion"])


def _version(where: str, answer_s: float) -> dict[str, str]:
    """What the engine says of itself, asked in a way that every engine understands."""
    from docker.errors import DockerException
    from requests import RequestException

    try:
        with closing(client_of(where, answer_s, LEAST_API)) as client:
            found: dict[str, str] = client.api.version(api_version=False)
    except (DockerException, RequestException, OSError) as error:
        raise EnvironmentUnfit(
            f"the Docker engine at {where} accepts connections and does not answer as one ({_in_words(error)}; it had "
            f"{answer_s:g} s): see its log and restart it, {INSTEAD}"
        ) from error
    return found


def data_folder(client: DockerClient) -> Path | None:
    """Where the engine keeps images and volumes; None where this account cannot see it."""
    with asking("looking for the engine's data"):
        folder = Path(client.info()["DockerRootDir"])
    try:
        return folder if folder.exists() else None
    except PermissionError:
        return None


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
        raise EnvironmentUnfit(
            f"'docker {words[0]}' took longer than {timeout_s:g} s: does the engine answer ('docker version')? Restart "
            f"it, {INSTEAD}"
        ) from None
    if any(sign in done.stderr for sign in NO_PLUGIN):
        raise EnvironmentUnfit(f"Docker has no plugin '{words[0]}': install docker-{words[0]}-plugin, {INSTEAD}")
    return done
