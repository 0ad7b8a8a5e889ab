"""Kafka transactions that their processors left open: readers of committed records stand still at them until the
coordinator aborts them, transaction.timeout.ms after their beginning and up to ten seconds more.

Whoever begins anew under a transactional id ends what is open there, at once. So that is how they are ended here; the
markers of an administrator (WriteTxnMarkers) would leave the coordinator in the belief that the transaction goes on.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from confluent_kafka import KafkaException, Producer

from factorylab.cluster import boot, manage
from factorylab.cluster.admin import Admin
from factorylab.cluster.librdkafka import client_config
from factorylab.core.errors import LabError
from factorylab.core.messages import GROUP

WAIT_S = 20.0
LIVING = ("running", "paused")


def of_dead_processors(transactional_ids: Collection[str], living: Collection[str], prefix: str = "") -> list[str]:
    """Those of the lab's own ids, which begin with its group behind the `prefix` of its names, whose processor, with
    which an id ends, is not among the `living`."""
    own = (name for name in transactional_ids if name.startswith(prefix + GROUP))
    return sorted(name for name in own if not any(name.endswith(f"-{worker}") for worker in living))


def end(home: Path) -> list[str]:
    """End each open transaction of a processor that does not live in the lab of `home`; what was done.

    Raises:
        EnvironmentUnfit: no lab is up.
        LabError: the brokers do not answer, or a transaction was not ended.
    """
    known = boot.known(home)
    living = [node.name for node in manage.look(home) if node.status in LIVING]
    with closing(Admin(known.bootstrap, WAIT_S)) as admin:
        found = of_dead_processors(admin.open_transactions(), living, known.prefix)
    return [_ended(known.bootstrap, name) for name in found]


def _ended(bootstrap: str, transactional_id: str) -> str:
    producer = Producer({**client_config(bootstrap, "factorylab-heal"), "transactional.id": transactional_id})
    try:
        producer.init_transactions(WAIT_S)
    except KafkaException as error:
        raise LabError(f"the transaction of {transactional_id} was not ended: {error.args[0].str()}") from error
    return f"ended the open transaction of {transactional_id}"
