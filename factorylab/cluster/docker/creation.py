"""How the containers of a lab come to be: services by compose, workers of a run from the application image."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from factorylab.cluster.control import Child
from factorylab.cluster.docker import engine
from factorylab.cluster.docker.container import Container
from factorylab.cluster.docker.projects import PROJECT_LABEL, SERVICE_LABEL
from factorylab.core import environment
from factorylab.core.errors import StartFailed

if TYPE_CHECKING:
    from docker import DockerClient

PLAN = "compose.json"
SETTINGS = "compose.env"
FILE = Path(__file__).parents[3] / "compose.yaml"
UP_S = 120
SAID_LINES = 15
LOCKED_DOWN = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "log_config": {"type": "json-file", "config": {"max-size": "20m", "max-file": "3"}},
}


class Plan(msgspec.Struct, frozen=True):
    """What a lab on Docker is made of; its file is there as long as anything of the lab may be."""

    project: str
    network: str
    application_image: str
    netfault_image: str

    def labels(self, service: str) -> dict[str, str]:
        """By which compose and the end of the lab know a container of the project."""
        return {PROJECT_LABEL: self.project, SERVICE_LABEL: service}


class Composing:
    """`docker compose up` as a child process, at most one at a time."""

    def __init__(self, plan: Plan, home: Path) -> None:
        words = ["compose", "--project-name", plan.project, "--file", str(FILE), "--env-file", str(home / SETTINGS)]
        self._words = [*words, "--progress", "plain", "--profile", "*", "up", "--detach", "--no-deps", "--no-build"]
        self._home = home
        self._running: asyncio.subprocess.Process | None = None

    async def up(self, names: Sequence[str]) -> str:
        """Have the services created and started; what compose said.

        Raises:
            StartFailed: it took too long.
        """
        self._running = await asyncio.create_subprocess_exec(
            "docker", *self._words, "--pull", "never", *names, env=environment.docker(), cwd=self._home,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(self._running.communicate(), UP_S)
        except TimeoutError:
            raise StartFailed(
                f"'docker compose up' took longer than {UP_S} s: is the machine too busy, or does the engine "
                "('docker version') not answer?"
            ) from None
        finally:
            await self.end()
        return "\n".join(said.decode(errors="replace").splitlines()[-SAID_LINES:])

    async def end(self) -> None:
        """Let it go no further."""
        running, self._running = self._running, None
        if running and running.returncode is None:
            running.kill()
            await running.wait()


def create_worker(client: DockerClient, plan: Plan, spec: Child, hosts: Mapping[str, str]) -> Container:
    """A container of the application image; files that it needs are mounted read-only, folders for writing. `hosts` are
    the addresses that it knows by name."""
    from docker.types import Mount

    mounts = [Mount(path, path, type="bind", read_only=not Path(path).is_dir()) for path in spec.paths]
    with engine.asking(f"creating {spec.name}"):
        container = client.containers.create(
            plan.application_image, spec.argv, name=f"{plan.project}-{spec.name}", hostname=spec.name,
            environment=spec.env, user=f"{spec.user}:{spec.user}", network=plan.network, mounts=mounts,
            extra_hosts=dict(hosts), labels=plan.labels(spec.name), tmpfs={"/tmp": "size=16m"}, mem_limit="512m",
            use_config_proxy=False,  # the account's proxies are no setting of a run
            **LOCKED_DOWN,
        )  # fmt: skip
    return Container(client, spec, str(container.id), plan.network)
