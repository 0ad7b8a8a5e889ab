"""Packets between the node and the brokers, or everybody, are dropped without a word; one way only where asked."""

from factorylab.scenarios.faults.kind import FaultKind, LinksBreak, TargetNode


async def _cut(node: TargetNode) -> None:
    await node.cut()


KIND = FaultKind(
    "partition",
    "its packets are dropped",
    LinksBreak(all_links=False),
    inject=_cut,
    doing="Cutting {} off",
    undo=lambda node: node.cut(),
    undone="lifted the cut of {node}",
    needs="network",
    instead="its nodes share this host's network: 'factorylab down' ends it, and 'factorylab up --isolated' starts one "
    "whose nodes do not",
    adds_up=True,
    lingers=True,
    has_sides=True,
)
