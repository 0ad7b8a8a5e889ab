"""The images of a lab on Docker: pulled where they are others', built where they are the project's own.

An image is built once and outlives many changes of the checkout. A worker that ran older code than the driver would
falsify a run without a sign, so the files that workers run are compared at every start: our own image is then built
again, one that somebody chose is refused.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from factorylab.cluster.base import Progress
from factorylab.cluster.docker import engine, image_code, image_registry
from factorylab.cluster.docker.creation import FILE
from factorylab.core import environment
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.programs import OF_IMAGES

if TYPE_CHECKING:
    from docker import DockerClient

OWN = {"workers": ("FACTORYLAB_IMAGE", "application"), "partitions": ("FACTORYLAB_NETFAULT_IMAGE", "netfault")}
VARIABLES = ("KAFKA_IMAGE", "POSTGRES_IMAGE", *(variable for variable, _ in OWN.values()))
OFFICIAL_KAFKA = "apache/kafka"
DOCKERFILE = FILE.with_name("Dockerfile")
BUILD_ARGUMENTS = ("PYTHON_IMAGE", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
BUILD_S = 1_200.0
PACKAGE = Path(__file__).parents[2]
INSIDE = "/app/factorylab"
WITHOUT_REGISTRY = "where there is no registry, .ci/images makes all images"
PULL_S = 600.0


def chosen() -> dict[str, str]:
    """The image names that somebody chose, in the environment or in .env beside compose.yaml."""
    written = dotenv_values(FILE.with_name(".env"), interpolate=False)
    return {key: value for key in VARIABLES if (value := written.get(key))} | environment.given(*VARIABLES)


def of_version(kafka: KafkaVersion | None) -> dict[str, str]:
    """The same with brokers of a version: its number is the tag of their image. An image that is named by its digest is
    left as it is, for nobody can tell that of another version.

    None: what was chosen, or compose.yaml's own.
    """
    found = chosen()
    image = found.get("KAFKA_IMAGE", OFFICIAL_KAFKA)
    if kafka is None or "sha256:" in image:
        return found
    return found | {"KAFKA_IMAGE": f"{re.sub(r':[^:/]+$', '', image)}:{kafka}"}


def ensure(client: DockerClient, names: Mapping[str, str], progress: Progress) -> None:
    """Have all images: `names` by what they are for (`workers` and `partitions` are those of OWN).

    Raises:
        EnvironmentUnfit: an image is nowhere to be had, or workers would run other code; with the way out.
    """
    missing, given = image_registry.missing(client, set(names.values())), chosen()
    for purpose, name in names.items():
        variable, target = OWN.get(purpose, ("", ""))
        ours = bool(target) and variable not in given
        if ours and (name in missing or (purpose == "workers" and differing(client, name))):
            _announced(progress, f"building {name}", partial(build, name, target))
        elif not ours and name in missing:
            _announced(progress, f"pulling {name}", partial(image_registry.pull, name, PULL_S))
    check_code(client, names["workers"])


def _announced(progress: Progress, doing: str, do: Callable[[], None]) -> None:
    progress(doing, 0, 1)
    do()
    progress(doing, 1, 1)


def check_available(client: DockerClient, names: Mapping[str, str]) -> None:
    """Could `ensure` have all images? Nothing is fetched or built.

    Raises:
        EnvironmentUnfit: one of them is not to be had.
    """
    missing, given = image_registry.missing(client, set(names.values())), chosen()
    ours = {names[purpose] for purpose, (variable, _) in OWN.items() if variable not in given}
    if missing and ours & set(missing):
        base = os.environ.get("PYTHON_IMAGE") or base_image()
        missing = [*missing, *image_registry.missing(client, {base})]
    image_registry.check_available(client, [name for name in missing if name not in ours])
    if names["workers"] not in {*missing, *ours}:
        check_code(client, names["workers"])


def base_image() -> str:
    """What the project's own images are built on."""
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert found, f"{DOCKERFILE} names no PYTHON_IMAGE"
    return found[1]


def build(name: str, target: str) -> None:
    """Build an image of the project's own.

    Raises:
        EnvironmentUnfit: it does not build, with the end of what was said.
    """
    words = ["build", "--quiet", "--tag", name, "--target", target]
    for argument in BUILD_ARGUMENTS:
        words += ["--build-arg", argument]
    given = environment.docker() | environment.given(*BUILD_ARGUMENTS, "DOCKER_BUILDKIT")
    done = engine.command(*words, str(DOCKERFILE.parent), env=given, timeout_s=BUILD_S)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise EnvironmentUnfit(
            f"the image {name} does not build; {WITHOUT_REGISTRY}. What was said:\n{said}{engine.room_if_full(said)}"
        )


def differing(client: DockerClient, name: str) -> list[str]:
    """The files that workers run, by their path in the package, that are not the same in the image as here."""
    theirs, ours = code_of(client, name), code_here()
    return sorted(path for path in theirs.keys() | ours.keys() if theirs.get(path) != ours.get(path))


def check_code(client: DockerClient, name: str) -> None:
    """Refuse an application image whose code is not this checkout's.

    Raises:
        EnvironmentUnfit: naming the first file that differs.
    """
    if different := differing(client, name):
        raise EnvironmentUnfit(
            f"the image {name} was built from other code than this checkout's ({len(different)} files differ, the "
            f"first is factorylab/{different[0]}): build it again, or leave FACTORYLAB_IMAGE out; {WITHOUT_REGISTRY}"
        )


def code_here() -> dict[str, bytes]:
    """The files that workers run, by their path in the package."""
    return image_code.reached({str(p.relative_to(PACKAGE)): p.read_bytes() for p in PACKAGE.rglob("*.py")}, OF_IMAGES)


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
            if path.endswith(".py") and (content := tar.extractfile(member)):
                found[path] = content.read()
    return image_code.reached(found, OF_IMAGES)
