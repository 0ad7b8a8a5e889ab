"""How a share group works: workers that take records of every partition and acknowledge each by itself (KIP-932)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.limits import Number
from factorylab.core.vocabulary import Acknowledgement

Consumption = Literal["partitions", "share", "transactional"]
ShareKind = Literal["idempotent", "acknowledges_first"]
KafkaDeadLetters = Literal["none", "enabled", "not_enabled"]
HAVE_DEAD_LETTERS: tuple[KafkaVersion, ...] = ("4.4.0",)  # KIP-1191
DELIVERIES = 5
"""A record is delivered so often at most: share.delivery.count.limit, which the lab leaves as Kafka 4.3 has it."""
ALERTS_NEED_ORDER = (
    "every detector of the factory, its limits with their hysteresis included, needs the readings of a sensor in their "
    "order, and a share group promises none: its workers run no detector and raise no alert"
)


class ShareGroup(BaseModel):
    """Settings of the group; what is None is the broker's default (Kafka 4.3: a lock of 30 s)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    acknowledgement: Acknowledgement = Field(
        default="explicit", description="each record by itself once it is stored, or all of a poll by the next poll"
    )
    lock_s: Annotated[Number, Field(ge=15, le=60)] | None = Field(
        default=None, description="how long a worker that lives may hold a record; Kafka's own limits"
    )

    last_delivery: Literal["set_aside", "try"] = Field(
        default="set_aside",
        description="a record that comes for the last time becomes a dead letter, or is tried once more",
    )
    kafka_dead_letters: KafkaDeadLetters = Field(
        default="none",
        description="Kafka 4.4 itself writes what is rejected or archived to a topic that is enabled for it, or, as a "
        "control, is told to write to one that is not",
    )

    @model_serializer(mode="wrap")
    def _without_dead_letters_of_kafka(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A group without them is written as it was before Kafka had them."""
        found: dict[str, Any] = written(self)
        return {name: value for name, value in found.items() if (name, value) != ("kafka_dead_letters", "none")}

    @property
    def group_settings(self) -> dict[str, str]:
        """Kafka's settings of the group: one that reads from the latest record on passes over what is there."""
        lock = {} if self.lock_s is None else {"share.record.lock.duration.ms": f"{self.lock_s * 1000:.0f}"}
        return {"share.auto.offset.reset": "earliest", **lock}
