"""The database lives, and its disk has no room left."""

import asyncio

from factorylab.scenarios.faults.kind import DatabaseAnswers, FaultKind, TargetNode

FULL_S = 0.1


async def _keep_full(node: TargetNode) -> None:
    """What a transaction that failed gives back is taken as well."""
    while True:
        await node.fill()
        await asyncio.sleep(FULL_S)


KIND = FaultKind(
    "fill",
    "no room left on its disk",
    DatabaseAnswers("full"),
    inject=lambda node: node.fill(),
    doing="Filling the disk of {}",
    hold=_keep_full,
    undo=lambda node: node.empty(),
    undone="gave the database its room back",
    needs="small_disk",
    instead="its database shares a disk with everybody: 'factorylab down' ends it, and 'factorylab up --backend local "
    "--small-disk' starts one whose tables have a small disk of their own",
    roles=("database",),
    lingers=True,
)
