"""When a lab counts as up: every broker itself names all brokers, and PostgreSQL answers a query with the password.

A TCP connect proves nothing (a frozen process accepts), and one broker's word is not the others'.
"""

from __future__ import annotations

import logging
from pathlib import Path

from factorylab.cluster import control
from factorylab.cluster.base import Endpoints
from factorylab.cluster.files import last_lines
from factorylab.errors import StartFailed
from factorylab.waiting import wait_until

READY_S = 90
ANSWER_S = 1.0


def members_seen_by(bootstrap: str) -> int:
    """How many brokers the one at `bootstrap` knows; 0 while it does not answer.

    A fresh client asks the only address it was given first, so the answer is that broker's own.
    """
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    config = {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        "socket.timeout.ms": 1_000,
        "reconnect.backoff.max.ms": 100,
    }
    silent = logging.Logger("readiness", logging.CRITICAL)  # a refused connection is no news here
    try:
        return len(AdminClient(config, logger=silent).list_topics(timeout=ANSWER_S).brokers)
    except KafkaException:
        return 0


def database_answers(url: str) -> bool:
    """Does an authenticated query come back?"""
    import psycopg2
    from sqlalchemy.engine import make_url

    place = make_url(url)
    try:
        connection = psycopg2.connect(
            host=place.host, port=place.port, user=place.username, password=place.password,
            dbname=place.database, connect_timeout=2, options="-c statement_timeout=1000",
        )  # fmt: skip
    except psycopg2.OperationalError:
        return False
    try:
        connection.cursor().execute("SELECT 1")
    finally:
        connection.close()
    return True


def wait_ready(home: Path, endpoints: Endpoints, timeout_s: float = READY_S) -> None:
    """Wait until the lab in `home` is whole.

    Raises:
        StartFailed: a child ended; with the last lines of its log.
        WaitTimeout: with what did not answer.
    """
    brokers = endpoints.bootstrap.split(",")
    waiting = {address: lambda a=address: members_seen_by(a) == len(brokers) for address in brokers}
    waiting["PostgreSQL"] = lambda: database_answers(endpoints.database_url)

    def look() -> bool:
        _raise_if_dead(home)
        for name in [name for name, check in waiting.items() if check()]:
            del waiting[name]
        return not waiting

    wait_until(
        look,
        what="three brokers and PostgreSQL to be ready",
        timeout_s=timeout_s,
        last_seen=lambda: f"no full answer from {', '.join(waiting)}; logs are in {home / 'logs'}",
    )


def _raise_if_dead(home: Path) -> None:
    for node in control.nodes(home):
        if node.role in {"broker", "database"} and node.pid is None:
            raise StartFailed(
                f"{node.name} ended with exit code {node.exit_code} while the lab was starting; the end of {node.log}:\n"
                + last_lines(Path(node.log))
            )
