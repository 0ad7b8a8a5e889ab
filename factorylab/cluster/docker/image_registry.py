"""Images that others publish: which are here, which could be pulled, and pulling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from factorylab.cluster.docker import engine
from factorylab.core.errors import EnvironmentUnfit

if TYPE_CHECKING:
    from docker import DockerClient


def missing(client: DockerClient, names: set[str]) -> list[str]:
    """Those of `names` that the engine does not hold."""
    from docker.errors import ImageNotFound

    def held(name: str) -> bool:
        try:
            client.images.get(name)
        except ImageNotFound:
            return False
        return True

    with engine.asking("looking for images"):
        return sorted(name for name in names if not held(name))


def check_available(client: DockerClient, names: Sequence[str]) -> None:
    """Can images that are not here be pulled? Nothing is fetched but their descriptions.

    Raises:
        EnvironmentUnfit: one of them cannot.
    """
    from docker.errors import APIError

    for name in names:
        with engine.asking(f"looking for {name}"):
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

    with engine.asking(f"pulling {name}"):
        patient = engine.client_of(engine.knock(), within_s)
        try:
            patient.images.pull(name)
        except APIError as error:
            raise EnvironmentUnfit(
                f"the image {name} is not there and cannot be pulled ({error.explanation or error}). Where there is no "
                f"registry, .ci/images makes all images; {engine.INSTEAD}"
            ) from None
