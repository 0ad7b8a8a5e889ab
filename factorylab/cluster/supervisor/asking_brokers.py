"""Requests to the brokers, each in a process of its own: `factorylab.cluster.requests`."""

from __future__ import annotations

from pathlib import Path

from factorylab.cluster.supervisor import apart
from factorylab.scenarios.faults.kind import BrokerRequest

FINISHED_S = 60.0


async def carry_out(home: Path, node: str, deed: BrokerRequest) -> None:
    """Have the brokers of the lab in `home` do this, with what the undo records of `node` name.

    Raises:
        LabError: they refuse or do not answer, with their words.
    """
    words = (str(home), node, deed)
    await apart.carry_out(f"the request to {deed} {node}", "factorylab.cluster.requests", *words, limit_s=FINISHED_S)
