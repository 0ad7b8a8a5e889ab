"""The node is taken off its network, as with the cable unplugged: its address is gone, too."""

from factorylab.scenarios.faults.kind import FaultKind, LinksBreak

KIND = FaultKind(
    "disconnect",
    "taken off its network, as with the cable unplugged",
    LinksBreak(all_links=True),
    inject=lambda node: node.disconnect(),
    doing="Unplugging {} from its network",
    undo=lambda node: node.reconnect(),
    undone="reconnected {node}",
    needs="switch",
    lingers=True,
    instead="a lab of processes has no switch to unplug: take a partition from everybody, or --backend compose",
)
