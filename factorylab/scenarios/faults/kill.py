"""SIGKILL: the process ends at once, with its work as it lies."""

from factorylab.scenarios.faults.kind import FaultKind, seen

KIND = FaultKind(
    "kill",
    "SIGKILL",
    seen("dead"),
    inject=lambda node: node.kill(),
    doing="Killing {}",
    ends_process=True,
    at_step=True,
    can_wipe=True,
)
