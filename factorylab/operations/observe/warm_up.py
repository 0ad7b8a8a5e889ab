"""Before an observation: each partition takes a first record, and gives it back."""

from __future__ import annotations

from queue import SimpleQueue

from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.waiting import wait_until
from factorylab.operations.observe.canary import Canary
from factorylab.operations.observe.clients import CanaryProducer
from factorylab.operations.observe.notes import Acked, Noted, Read, Refused, taken
from factorylab.operations.observe.own_time import TICK_S
from factorylab.operations.observe.summary import Plan

WARM_UP_S = 30.0
BEFORE = -1  # the number of each partition's first record, which is not counted


def warm_up(producer: CanaryProducer, noted: SimpleQueue[Noted], plan: Plan, observation: str) -> None:
    """The first record of a client waits for connections, metadata and a producer id: that is no outage.

    Raises:
        EnvironmentUnfit: one is refused, or not acknowledged or not read within WARM_UP_S.
    """
    missing = {(word, p) for word in ("acknowledged", "read") for p in range(plan.partitions)}
    for partition in range(plan.partitions):
        producer.offer(Canary(observation, partition, BEFORE))

    def done() -> bool:
        producer.poll(TICK_S)
        for note in taken(noted):
            if isinstance(note, Refused):
                raise EnvironmentUnfit(f"{plan.topic} takes no record of this user: {note.why}")
            if isinstance(note, (Acked, Read)) and note.canary:
                missing.discard(("acknowledged" if isinstance(note, Acked) else "read", note.canary.partition))
        return not missing

    wait_until(
        done,
        what=f"a first record of each partition of {plan.topic} to be acknowledged and read",
        timeout_s=WARM_UP_S,
        last_seen=lambda: ", ".join(sorted(f"partition {p} not {word}" for word, p in missing)),
    )
