"""kafka-python's admin client, made so that a failure leaves nothing behind, and how often a question is asked.

Its constructor looks for a broker with a thread and sockets of its own. Where it finds none it raises and leaves them
as they are (3.0.12): a thread and five descriptors a try, so that who tries again and again runs out of both. The inner
client that has them is made by a factory here, so that it can be closed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from factorylab.cluster.listening import listens
from factorylab.cluster.secured import Way, way_to
from factorylab.core.errors import WaitTimeout

logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a dead broker is what the lab is about, not news

T = TypeVar("T")
AGAIN_S = 0.05
ANSWER_S = 2.0  # one broker's time to answer; healthy ones take milliseconds
FAILURES = (KafkaError, OSError, RuntimeError)
"""What its calls raise when nobody answers; the bare RuntimeError where the client is closed or knows no controller."""


def persist(question: Callable[[], T], silent: str, deadline_s: float, failed: Callable[[], None]) -> T:
    """The answer to a question that is asked again until there is one, once in any case; `failed` clears up after each
    failure.

    Raises:
        WaitTimeout: there was none within `deadline_s`. It says `silent`: who did not answer what.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            return question()
        except FAILURES as error:
            failed()
            if time.monotonic() >= deadline:
                raise WaitTimeout(f"{silent} ({error!r})") from None
            time.sleep(AGAIN_S)


def admin_client(bootstrap: str, answer_s: float, way: Way | None = None) -> KafkaAdminClient:
    """A client that has reached the broker at `bootstrap`, and waits at most `answer_s` for each answer. Without a
    `way` it takes the one that this process was told of, or none.

    Raises:
        FAILURES: nobody answers there.
    """
    if not listens(bootstrap):  # the client leaves each socket that was refused to the garbage collector
        raise ConnectionRefusedError(f"nobody listens at {bootstrap}")
    inner: list[KafkaNetClient] = []

    def made(**settings: object) -> KafkaNetClient:
        inner.append(KafkaNetClient(**settings))
        return inner[-1]

    wait_ms, way = int(answer_s * 1000), way or way_to(bootstrap)
    try:
        return KafkaAdminClient(
            kafka_client=made,
            bootstrap_servers=bootstrap,
            client_id="factorylab",
            request_timeout_ms=wait_ms,
            bootstrap_timeout_ms=wait_ms,
            **(way.python_settings() if way else {}),
        )
    except BaseException:
        for client in inner:
            client.close()
        raise
