"""Frozen with all its connections: it answers nobody, and the kernel answers for it."""

from factorylab.scenarios.faults.kind import FaultKind, seen

KIND = FaultKind(
    "pause",
    "SIGSTOP: frozen with all its connections",
    seen("paused"),
    inject=lambda node: node.pause(),
    doing="Freezing {}",
    undo=lambda node: node.resume(),
    undone="resumed {node}",
    stops=True,
    lingers=True,
    at_step=True,
)
