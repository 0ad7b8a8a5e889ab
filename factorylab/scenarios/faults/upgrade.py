"""An orderly end, and started again with the newest version of Kafka: one step of a rolling upgrade."""

from factorylab.core.kafka_versions import KAFKA_VERSIONS
from factorylab.scenarios.faults.kind import ANOTHER_PROCESS, ONLY_PROCESSES, FaultKind, TargetNode, back_at_once

NEWEST = KAFKA_VERSIONS[-1]


async def _upgrade(node: TargetNode) -> None:
    await node.use_version(NEWEST)
    await node.terminate()


KIND = FaultKind(
    "upgrade",
    f"SIGTERM, and started again with Kafka {NEWEST}",
    ANOTHER_PROCESS,
    inject=_upgrade,
    hold=back_at_once,
    doing=f"Upgrading {{}} to Kafka {NEWEST}",
    needs="versions",
    instead=ONLY_PROCESSES,
    roles=("broker",),
    ends_process=True,
    undoes_itself=True,
    raises_features=True,
)
