"""A second Docker engine whose disk is small, in mount and network namespaces of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from docker.errors import DockerException
from requests import RequestException

from factorylab.cluster.docker import engine
from factorylab.core.waiting import wait_until

START = """
set -e
mount -t tmpfs -o size={size_mb}m tmpfs {folder}/data
ip link set lo up
exec dockerd --data-root {folder}/data --exec-root {folder}/run --pidfile {folder}/pid --host unix://{folder}/sock
"""
PIECE = 1 << 20


@dataclass(frozen=True)
class SmallEngine:
    """An engine that answers at `address`. What lies on its disk is seen through its process `pid`."""

    address: str
    pid: int
    data: Path

    def take(self, images: list[str]) -> None:
        """Copy images from the engine of this machine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            subprocess.run(["docker", "--host", self.address, "load", "--quiet"], stdin=saving.stdout, check=True)
        assert saving.returncode == 0

    def fill(self) -> None:
        """Leave not one byte free."""
        inside = Path(f"/proc/{self.pid}/root") / self.data.relative_to("/") / "filler"
        with inside.open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(PIECE))


@contextmanager
def small_engine(folder: Path, size_mb: int) -> Iterator[SmallEngine]:
    """Run one in the empty `folder` until the end of the block."""
    for part in ("data", "run"):
        (folder / part).mkdir(parents=True)
    address, log = f"unix://{folder}/sock", folder / "log"
    words = ["unshare", "--mount", "--net", "sh", "-c", START.format(size_mb=size_mb, folder=folder)]
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, start_new_session=True)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        client = engine.client_of(address, 5, engine.LEAST_API)
        with suppress(DockerException, RequestException), closing(client):
            return bool(client.ping())
        return False

    try:
        wait_until(answers, what="the small engine to answer", timeout_s=60, last_seen=log.read_text)
        yield SmallEngine(address, process.pid, folder / "data")
    finally:
        process.terminate()
        process.wait(60)
