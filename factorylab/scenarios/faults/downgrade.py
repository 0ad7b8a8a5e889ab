"""An orderly end, and started again with the oldest version of Kafka: one step of the way back."""

from factorylab.core.kafka_versions import KAFKA_VERSIONS
from factorylab.scenarios.faults.kind import ANOTHER_PROCESS, ONLY_PROCESSES, FaultKind, TargetNode, back_at_once

OLDEST = KAFKA_VERSIONS[0]


async def _downgrade(node: TargetNode) -> None:
    await node.use_version(OLDEST)
    await node.terminate()


KIND = FaultKind(
    "downgrade",
    f"SIGTERM, and started again with Kafka {OLDEST}",
    ANOTHER_PROCESS,
    inject=_downgrade,
    hold=back_at_once,
    doing=f"Taking {{}} back to Kafka {OLDEST}",
    needs="versions",
    instead=ONLY_PROCESSES,
    roles=("broker",),
    ends_process=True,
    undoes_itself=True,
)
