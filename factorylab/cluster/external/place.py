"""What a lab with external brokers keeps in its folder: the way to them, and what its runs have made there.

.lab/  client.properties   the connection, in librdkafka's names (mode 600: it holds secrets)
       made/               a file for each run: the names that it was about to make; gone when they are deleted
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from javaproperties import dumps

from factorylab.cluster import boot
from factorylab.cluster.connection.connection import Connection, read_connection
from factorylab.cluster.connection.python_side import Way
from factorylab.cluster.secured import introduce
from factorylab.core.errors import LabError
from factorylab.core.files import read_json, sync_folder, write_durably, write_secret

CLIENT, MADE = "client.properties", "made"


class Made(msgspec.Struct, frozen=True):
    """Topics and the group of one run, each of whose names begins with `prefix`."""

    prefix: str
    topics: list[str]
    group: str

    def check(self) -> None:
        """Raises LabError where a name lies outside the prefix: nothing there is ever touched."""
        outside = [name for name in (*self.topics, self.group) if not (self.prefix and name.startswith(self.prefix))]
        if outside:
            raise LabError(f"{', '.join(outside)} does not begin with the prefix {self.prefix!r}: it is not touched")


def keep_connection(home: Path, connection: Connection) -> None:
    """Write the connection for the processes of the lab, of which none has the file or the environment of the user."""
    settings = {name: value for name, value in connection.client_settings().items() if isinstance(value, str)}
    write_secret(home / CLIENT, dumps(settings, timestamp=None))


def take_up(home: Path) -> None:
    """Have this process reach the brokers of the lab in `home`, where they are external."""
    known = boot.known(home)
    if known.backend == "external":
        brokers = dict(zip(known.numbers, known.bootstrap.split(","), strict=True))
        introduce(brokers, Way(read_connection(home / CLIENT)))


def record(home: Path, run_id: str, made: Made) -> None:
    """Remember what a run is about to make; returns when that would survive a crash."""
    made.check()
    (home / MADE).mkdir(exist_ok=True)
    write_durably(home / MADE / f"{run_id}.json", msgspec.json.encode(made))


def recorded(home: Path) -> dict[Path, Made]:
    """What is still to be deleted, by the file that says so."""
    found = {path: read_json(path, Made) for path in sorted((home / MADE).glob("*.json"))}
    return {path: made for path, made in found.items() if made}


def forget(paths: Iterable[Path]) -> None:
    """What these files name is deleted, or is to stay."""
    for path in paths:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
