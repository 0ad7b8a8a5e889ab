"""Which of a cluster's addresses are reached, and why the others are not."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from kafka.errors import KafkaError
from kafka.protocol.metadata import MetadataRequest

from factorylab.cluster.asking.reasons import reason
from factorylab.cluster.broker_line import BrokerLine
from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.connection.python_side import Way
from factorylab.core.errors import UsageError

ANSWER_S = 5.0
AT_ONCE = 8
FAILURES = (KafkaError, OSError, RuntimeError, UsageError)


@dataclass(frozen=True)
class Tried:
    """An address, and the line to it, whose owner closes it; None where it is not reached, and `why` says why."""

    address: str
    line: BrokerLine | None = field(repr=False)
    why: str = ""
    took_s: float = 0.0


def tried(connection: Connection, addresses: Iterable[str]) -> list[Tried]:
    """Connect to each as the connection says: network, TLS, Kafka's first answers, login. Takes some ANSWER_S."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda address: _tried(connection, address), addresses))


def _tried(connection: Connection, address: str) -> Tried:
    began_s = time.monotonic()
    line = None
    try:
        line = BrokerLine(address, ANSWER_S, Way(connection))
        line.ask(MetadataRequest(topics=[], allow_auto_topic_creation=False))  # who must log in first is cut off here
    except FAILURES as error:
        if line:
            line.close()
        return Tried(address, None, reason(error, address, connection), time.monotonic() - began_s)
    return Tried(address, line, took_s=time.monotonic() - began_s)
