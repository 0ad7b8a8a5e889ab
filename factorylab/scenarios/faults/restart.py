"""Killed and started again at once, as a restart policy does: there is nothing to undo, and hold_s may be 0."""

from factorylab.scenarios.faults.kind import ANOTHER_PROCESS, FaultKind, TargetNode


async def _restart(node: TargetNode) -> None:
    await node.kill()
    await node.gone()
    await node.start()


KIND = FaultKind(
    "restart",
    "killed and started again at once",
    ANOTHER_PROCESS,
    inject=_restart,
    doing="Killing {} and starting it again at once",
    ends_process=True,
    undoes_itself=True,
)
