"""The line to the broker that coordinates a group."""

from __future__ import annotations

from contextlib import ExitStack

from kafka.errors import KafkaError
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest

from factorylab.cluster.asking.reached import tried
from factorylab.cluster.broker_line import BrokerLine
from factorylab.cluster.connection.connection import Connection

SINCE_KEYS = 4  # of FindCoordinator


def coordinator(lines: ExitStack, line: BrokerLine, group: str, connection: Connection) -> BrokerLine | None:
    """The coordinator of a group, by which questions about groups are answered; any broker where it is not told: it
    denies what is not allowed as well. None where it is not reached."""
    request = FindCoordinatorRequest(key_type=CoordinatorType.GROUP, coordinator_keys=[group], min_version=SINCE_KEYS)
    try:
        found = line.ask(request).coordinators[0]
    except (KafkaError, OSError):
        return None
    if found.error_code:
        return line
    there = tried(connection, [f"{found.host}:{found.port}"])[0].line
    if there:
        lines.callback(there.close)
    return there
