"""When a lab counts as up: every broker itself names all brokers, and PostgreSQL answers a query with the password.

A TCP connect proves nothing (a frozen process accepts), and one broker's word is not the others'.
"""

from __future__ import annotations

import logging
from pathlib import Path

from factorylab.cluster import control
from factorylab.cluster.base import INFRASTRUCTURE, Endpoints
from factorylab.cluster.listening import listens
from factorylab.core.errors import StartFailed
from factorylab.core.files import last_lines
from factorylab.core.waiting import wait_until

READY_S = 90
ANSWER_S = 2.0
EVERY_S = 0.1


def members_seen_by(bootstrap: str) -> int:
    """How many brokers the one at `bootstrap` knows; 0 while it does not answer.

    A fresh client asks the only address it was given first, so the answer is that broker's own.
    """
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    if not listens(bootstrap):  # spares a client, whose threads would compete with the starting brokers
        return 0
    silent = logging.Logger("readiness", logging.CRITICAL)
    try:
        client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}, logger=silent)
        return len(client.list_topics(timeout=ANSWER_S).brokers)
    except KafkaException:
        return 0


def database_answers(url: str) -> bool:
    """Does an authenticated query come back?"""
    import psycopg2

    from factorylab.core.libpq import connect

    try:
        connection = connect(url, connect_timeout=2, options="-c statement_timeout=1000")
    except psycopg2.OperationalError:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
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
    waiting = ["PostgreSQL", *brokers]

    def answers(name: str) -> bool:
        if name == "PostgreSQL":
            return database_answers(endpoints.database_url)
        return members_seen_by(name) == len(brokers)

    def look() -> bool:
        _raise_if_dead(home)
        waiting[:] = [name for name in waiting if not answers(name)]
        return not waiting

    wait_until(
        look,
        what="three brokers and PostgreSQL to be ready",
        timeout_s=timeout_s,
        every_s=EVERY_S,
        last_seen=lambda: f"no full answer from {', '.join(waiting)}; logs are in {home / 'logs'}",
    )


def _raise_if_dead(home: Path) -> None:
    for node in control.nodes(home):
        # a container's exit code comes from the engine, a moment after its end
        if node.role in INFRASTRUCTURE and node.pid is None and node.exit_code is not None:
            raise StartFailed(
                f"{node.name} ended with exit code {node.exit_code} while the lab started; the end of {node.log}:\n"
                + last_lines(Path(node.log))
            )
