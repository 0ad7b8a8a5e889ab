"""The images of a lab on Docker: whose they are, whether they are there, and that the workers' one holds this code.

An image is built once and outlives many changes of the checkout. A worker that ran older code than the driver would
falsify a run without a sign, so the files that workers run are compared at every start.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from factorylab.cluster import engine
from factorylab.cluster.base import Progress
from factorylab.cluster.containers import FILE
from factorylab.errors import EnvironmentUnfit

if TYPE_CHECKING:
    from docker import DockerClient

VARIABLES = ("KAFKA_IMAGE", "POSTGRES_IMAGE", "FACTORYLAB_IMAGE", "FACTORYLAB_NETFAULT_IMAGE")
PACKAGE = Path(__file__).parents[1]
INSIDE = "/app/factorylab"
RUN_BY_WORKERS = ("clock.py", "errors.py", "history.py", "journal.py", "messages.py", "detectors/", "factory/")
BUILD = "'docker compose --profile \"*\" build' does it, or .ci/images without a registry"
PULL_S = 600.0


def chosen() -> dict[str, str]:
    """The image names that somebody chose, in the environment or in .env beside compose.yaml."""
    written = dotenv_values(FILE.with_name(".env"), interpolate=False)
    return {key: value for key in VARIABLES if (value := os.environ.get(key) or written.get(key))}


def ensure(client: DockerClient, names: Mapping[str, str], progress: Progress) -> None:
    """Pull what the engine does not hold; `names` are the images by what they are for, among them `workers`.

    Raises:
        EnvironmentUnfit: an image is nowhere to be had, or workers would run other code; with the way out.
    """
    for name in engine.missing_images(client, set(names.values())):
        doing = f"pulling {name}"
        progress(doing, 0, 1)
        engine.pull(name, PULL_S)
        progress(doing, 1, 1)
    check_code(client, names["workers"])


def check_code(client: DockerClient, name: str) -> None:
    """Refuse an application image whose code is not this checkout's.

    Raises:
        EnvironmentUnfit: naming the first file that differs.
    """
    theirs, ours = code_of(client, name), code_here()
    different = sorted(path for path in theirs.keys() | ours.keys() if theirs.get(path) != ours.get(path))
    if different:
        raise EnvironmentUnfit(
            f"the image {name} was built from other code than this checkout's ({len(different)} files differ, the "
            f"first is factorylab/{different[0]}): build it again; {BUILD}"
        )


def code_here() -> dict[str, bytes]:
    """The files that workers run, by their path in the package."""
    paths = {str(path.relative_to(PACKAGE)): path for path in PACKAGE.rglob("*.py")}
    return {name: path.read_bytes() for name, path in paths.items() if name.startswith(RUN_BY_WORKERS)}


def code_of(client: DockerClient, name: str) -> dict[str, bytes]:
    """The same of an image. It is asked of a container that is never started."""
    with engine.asking(f"looking into {name}"):
        container = client.api.create_container(name, ["python"])["Id"]
        try:
            pieces, _ = client.api.get_archive(container, INSIDE)
            packed = b"".join(pieces)
        finally:
            client.api.remove_container(container, force=True)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        for member in tar:
            path = member.name.partition("/")[2]
            if path.endswith(".py") and path.startswith(RUN_BY_WORKERS) and (content := tar.extractfile(member)):
                found[path] = content.read()
    return found
