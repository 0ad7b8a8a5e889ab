"""Kafka's jars: for each version a committed lock of exact coordinates and SHA-256, and a folder that holds them and
no others: `java -cp "FOLDER/*"` never mixes two versions.

Nothing is resolved at run time: each line of `jars-VERSION.lock` is fetched as it stands, and a file whose checksum is
not the locked one never gets its final name. Downloads go to a temporary folder first, so that what was
fetched before an interruption counts and a half file never does. `python -m factorylab.cluster.local.jars VERSION`
writes a version's lock anew.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factorylab.cluster import folders
from factorylab.cluster.base import Progress
from factorylab.core.errors import DownloadError
from factorylab.core.files import exclusive
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KAFKA_VERSIONS, KafkaVersion

KAFKA = "org.apache.kafka:kafka_2.13"
KAFKA_TOOLS = "org.apache.kafka:kafka-tools"  # its producer benchmark; what else it needs, a broker has
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"  # without it a broker logs nothing
THREADS = 16
MTIME = 1_600_000_000  # one fixed time: the JVM's cache of classes compares it


@dataclass(frozen=True)
class Jar:
    """One line of the lock."""

    coordinates: str  # group:artifact:version
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def lock_of(kafka: KafkaVersion) -> Path:
    """The lock of a version's jars."""
    return Path(__file__).with_name(f"jars-{kafka}.lock")


def read_lock(kafka: KafkaVersion) -> list[Jar]:
    """The locked jars of a version, in the order of the class path."""
    text = lock_of(kafka).read_text()
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return [Jar(coordinates, digest) for coordinates, digest in lines]


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def missing(folder: Path, jars: Iterable[Jar]) -> list[Jar]:
    """The jars that `folder` lacks or holds with another content."""
    return [
        jar for jar in jars if not (folder / jar.file_name).exists() or sha256_of(folder / jar.file_name) != jar.sha256
    ]


def fetch(jar: Jar, repository: Path) -> Path:
    """Download one jar by its exact coordinates into `repository` (a temporary folder)."""
    from jgo.maven import MavenContext

    group, artifact, version = jar.coordinates.split(":")
    context = MavenContext(repo_cache=repository, timeout=30)
    path: Path = context.project(group, artifact).at_version(version).artifact().resolve()
    return path


def install(jar: Jar, folder: Path, fetched: Path) -> None:
    """Give a fetched file its final name, once its checksum is the locked one.

    Raises:
        DownloadError: it is another file.
    """
    found = sha256_of(fetched)
    if found != jar.sha256:
        raise DownloadError(
            f"{jar.coordinates} has the checksum {found}, but {jar.sha256} is locked: it was refused. "
            "Something between here and the repository changed it; try another network."
        )
    os.utime(fetched, (MTIME, MTIME))
    fetched.replace(folder / jar.file_name)


def folder_of(cache: Path, kafka: KafkaVersion) -> Path:
    """The folder of a version's jars. That of the default version is called as it was before there were others."""
    return cache / ("jars" if kafka == DEFAULT_KAFKA else f"jars-{kafka}")


def ensure(folder: Path, progress: Progress, jars: list[Jar]) -> list[Path]:
    """The class path: all of `jars` in a folder of the cache, downloaded where they are missing. Several processes may
    call this at once.

    Raises:
        DownloadError: no network, or a checksum that is not the locked one.
    """
    cache, lock = folder.parent, folder.with_name(f"{folder.name}.lock")
    if missing(folder, jars):
        folders.of_cache(cache).check()
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(lock), tempfile.TemporaryDirectory(dir=cache, prefix="download-") as scratch:
            _download(missing(folder, jars), folder, Path(scratch), progress)
    return [folder / jar.file_name for jar in jars]


def _download(jars: list[Jar], folder: Path, scratch: Path, progress: Progress) -> None:
    def one(jar: Jar) -> None:
        install(jar, folder, fetch(jar, scratch))

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        futures: dict[Future[None], Jar] = {pool.submit(one, jar): jar for jar in jars}
        for done, future in enumerate(as_completed(futures), 1):
            _raise_readable(future, futures[future], len(jars) - done + 1)
            progress("Kafka's jars", done, len(jars))


def _raise_readable(future: Future[None], jar: Jar, left: int) -> None:
    """Turn a failed download into one sentence with the way out."""
    import requests

    try:
        future.result()
    except (requests.RequestException, RuntimeError) as error:
        raise DownloadError(
            f"could not download {jar.coordinates} ({type(error).__name__}); {left} jars are missing. "
            "Is there a network, or a proxy to be named in HTTPS_PROXY? What was fetched is kept: try again."
        ) from error


def resolve(kafka: str) -> list[str]:
    """Coordinates of everything that a broker of this version needs, found anew from Kafka's own description (slow)."""
    from jgo.maven import Dependency, MavenContext, PythonResolver

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(scratch))

        def closure(coordinates: str) -> set[str]:
            group, artifact, version = coordinates.split(":")
            root = Dependency(context.project(group, artifact).at_version(version).artifact())
            _, nodes = PythonResolver().get_dependency_list([root])
            found: list[Any] = [node.dep for node in nodes]
            return {coordinates} | {f"{d.groupId}:{d.artifactId}:{d.version}" for d in found}

        found = closure(f"{KAFKA}:{kafka}")
        log4j = next(c for c in found if c.startswith("org.apache.logging.log4j:log4j-core:"))
        return sorted(found | {f"{KAFKA_TOOLS}:{kafka}", f"{LOG_BINDING}:{log4j.rpartition(':')[2]}"})


def write_lock(kafka: KafkaVersion) -> None:
    """Resolve, download and write a version's lock anew."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(THREADS) as pool:
        names = resolve(kafka)
        files = pool.map(lambda name: fetch(Jar(name, ""), Path(scratch)), names)
        lines = [f"{name} {sha256_of(file)}" for name, file in zip(names, files, strict=True)]
    head = "# coordinates and SHA-256; written by: python -m factorylab.cluster.local.jars"
    lock_of(kafka).write_text("\n".join([head, *lines]) + "\n")


if __name__ == "__main__":
    for version in KAFKA_VERSIONS:
        if version in sys.argv[1:]:
            write_lock(version)
            sys.stdout.write(f"{lock_of(version)}: {len(read_lock(version))} jars\n")
