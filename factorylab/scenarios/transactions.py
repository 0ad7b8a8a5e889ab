"""How processors work in Kafka transactions: what a batch raises, and the offsets that it ends at, count together or
not at all, for whoever reads committed records alone (KIP-98, KIP-447)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from factorylab.core.limits import Number

TransactionalKind = Literal["transactional", "offsets_outside"]
TIMEOUT_S = 60.0
"""librdkafka's transaction.timeout.ms."""


class Transactions(BaseModel):
    """Settings of the processors' transactions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    timeout_s: Annotated[Number, Field(ge=1, le=900)] = Field(
        default=TIMEOUT_S,
        description="an open transaction is aborted after so long (transaction.timeout.ms); brokers allow 900 s",
    )
