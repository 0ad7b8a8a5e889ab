"""The backend `external`: a run's topics on brokers of yours, its store and its workers on this machine."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from factorylab.cluster import boot, control, descriptors, leftovers, ready
from factorylab.cluster.asking.answers import Answers
from factorylab.cluster.base import Endpoints, Progress
from factorylab.cluster.connection.connection import Connection, read_connection
from factorylab.cluster.connection.python_side import Way
from factorylab.cluster.connection.tokens import TokenFile
from factorylab.cluster.database_address import url_of
from factorylab.cluster.driver import Driver
from factorylab.cluster.external import clearing, place
from factorylab.cluster.external.place import Made
from factorylab.cluster.local import ports, postgres
from factorylab.cluster.settings import Settings
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.waiting import wait_until
from factorylab.scenarios.fault_catalog import possible
from factorylab.scenarios.faults.kind import Need


@dataclass(frozen=True)
class FreshStore:
    """A lab whose supervisor runs and whose PostgreSQL is still to be started."""

    home: Path
    server: postgres.Server
    port: int
    password: str

    def start(self) -> None:
        self.server.initialise(self.password, None)
        control.ask(self.home, control.Start([self.server.child(self.port, self.home / "logs" / "database.log", None)]))


class ExternalCluster(Driver):
    """A lab whose brokers belong to somebody else: nothing outside the prefix is created, changed or deleted."""

    backend = "external"
    starting = "PostgreSQL"
    owns_brokers = False

    def __init__(self, home: Path, lock: IO[str], *, was_up: bool) -> None:
        super().__init__(home, lock, was_up=was_up)
        place.take_up(home)
        self.prefix = boot.known(home).prefix
        self.client_settings = Way(read_connection(home / place.CLIENT)).client_settings()

    @classmethod
    def prepare(
        cls, settings: Settings, needs: Collection[Need], kafka: KafkaVersion | None, progress: Progress
    ) -> FreshStore:
        if kafka is not None:
            raise UsageError(f"Kafka {kafka} cannot be chosen where the brokers are yours: leave the version out")
        home, connection = settings.home, connection_of(settings)
        descriptors.check()
        binaries = postgres.find(settings.postgres_bin)
        if left := leftovers.clear(home):
            progress(f"cleaned up after a lab that had died ({', '.join(left)})", 0, 0)
        answers = asked(connection, settings.prefix, needs, progress)
        place_of_store = ports.choose(home, settings.port_base, settings.cache / "ports")
        boot.empty(home)
        server = postgres.prepare(binaries, home / "data" / "database")
        password = secrets.token_urlsafe(24)
        brokers = {one.broker: one.address for one in answers.addresses if one.broker is not None}
        place.keep_connection(home, connection)
        known = boot.Known(
            ",".join(brokers[number] for number in sorted(brokers)),
            url_of(place_of_store.database_port, password),
            backend=cls.backend,
            can=possible(needs),
            numbers=tuple(sorted(brokers)),
            prefix=settings.prefix,
        )
        boot.launch(home, known)
        return FreshStore(home, server, place_of_store.database_port, password)

    @classmethod
    def wait_ready(cls, home: Path, endpoints: Endpoints) -> None:
        """The brokers answered before anything started."""
        wait_until(
            lambda: ready.database_answers(endpoints.database_url),
            what=f"PostgreSQL to be ready (its log is in {home / 'logs'})",
            timeout_s=ready.READY_S,
        )

    def announce(self, run_id: str, topics: Sequence[str], group: str) -> None:
        place.record(self.home, run_id, Made(self.prefix, list(topics), group))

    def close(self, *, keep: bool = False) -> None:
        """As every lab; what its runs made on the brokers goes first, or stays for good with `keep`.

        Raises:
            EnvironmentUnfit: the brokers do not answer; the message names what is left there.
        """
        try:
            if not self._lock.closed and keep:
                place.forget(place.recorded(self.home))
            elif not self._lock.closed:
                clearing.clear(self.home)
        finally:
            super().close(keep=keep)


def connection_of(settings: Settings) -> Connection:
    """The way to the brokers that the settings name.

    Raises:
        UsageError: they name none, or one that workers cannot go.
    """
    if settings.client is None:
        raise UsageError("the backend external needs the brokers' address and login: --client client.properties")
    connection = read_connection(settings.client)
    if isinstance(connection.login, TokenFile):
        raise UsageError(
            f"{settings.client}: workers of a run take no token from a file: give client credentials "
            "(sasl.oauthbearer.token.endpoint.url=https://…)"
        )
    return connection


def asked(connection: Connection, prefix: str, needs: Collection[Need], progress: Progress) -> Answers:
    """What the cluster answers, if a run whose faults have these needs can work there.

    Raises:
        EnvironmentUnfit: all that is missing, with the commands that grant it.
    """
    from factorylab.cluster.asking.ask import ask
    from factorylab.cluster.asking.privileges import NEEDS, OF_LEADERSHIPS

    wanted = (*NEEDS, *([OF_LEADERSHIPS] if "leaderships" in needs else []))
    answers = ask(connection, prefix, lambda text: progress(text, 0, 0), wanted)
    if answers.problems:
        raise EnvironmentUnfit("\n".join([*answers.problems, *answers.acls]))
    return answers
