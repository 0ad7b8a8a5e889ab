"""What a process needs before it can work: brokers, its topics, the database and its tables.

Rules:
- Processes may start before what they need: they wait as long as it takes, and say meanwhile what is missing and the
  way out.
- What waiting cannot mend (tables that this account must not create) ends the process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from confluent_kafka import Consumer, KafkaException, Message, Producer

from factorylab.core.backoff import Backoff
from factorylab.core.errors import LabError
from factorylab.factory import json_logs
from factorylab.factory.client_errors import sorted_out
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.process import StopSignal
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.ensure_schema import ensure_schema

LOOK_S = 1.0  # while a client asks it tells no log line, so the lines of a wait come this late at most
Client = Producer | Consumer
VARIABLES = "FACTORYLAB_SENSOR_TOPIC, FACTORYLAB_ALERT_TOPIC, FACTORYLAB_DEAD_LETTER_TOPIC"


class NeedMissing(LabError):
    """Brokers or topics are not there yet."""


def wait_for_topics(
    clients: Sequence[Client], topics: Sequence[str], logger: json_logs.Logger, stop: StopSignal
) -> None:
    """Until a broker answers the first of the clients and every topic is there. All of them tell their log lines."""
    _wait_for(partial(_look_for_topics, clients[0], topics), logger, stop, partial(_serve, clients))


def wait_for_schema(config: ProcessorConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
    """Until the database answers; creates the tables where they are missing.

    Raises:
        SchemaMissing: they are missing and cannot be created.
    """
    url = config.database_url.get_secret_value()
    _wait_for(partial(ensure_schema, url, config.db_schema), logger, stop)


def _serve(clients: Sequence[Client]) -> None:
    """Have clients tell what they logged: they keep their lines until they are polled, and stamp them then."""
    for client in clients:
        polled = client.poll(0)
        if isinstance(polled, Message):  # nothing is subscribed to yet, so it can only be an error
            sorted_out([polled])


def _wait_for(
    look: Callable[[], None], logger: json_logs.Logger, stop: StopSignal, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Until `look` raises nothing any more, or the process is told to stop."""
    backoff = Backoff(first_s=0.5, cap_s=10)
    while not stop:
        if backoff.ready:
            try:
                look()
                return
            except (NeedMissing, StoreUnavailable) as error:
                logger.warning("waiting", error=str(error))
                backoff.failed()
        meanwhile()
        time.sleep(0.05)


def _look_for_topics(client: Client, topics: Sequence[str]) -> None:
    """All topics are asked for: asking for one by name could create it, with the broker's defaults."""
    try:
        known = client.list_topics(timeout=LOOK_S).topics
    except KafkaException as error:
        raise NeedMissing(
            f"no broker answers ({error.args[0].str()}): look at FACTORYLAB_BOOTSTRAP; trying again"
        ) from None
    if missing := [topic for topic in topics if topic not in known]:
        raise NeedMissing(f"no topic {', '.join(missing)}: create it, or name another ({VARIABLES}); trying again")
