"""The signal for an orderly end, such as SIGTERM."""

from factorylab.scenarios.faults.kind import FaultKind, seen

KIND = FaultKind(
    "terminate",
    "SIGTERM",
    seen("dead"),
    inject=lambda node: node.terminate(),
    doing="Ending {} by SIGTERM",
    ends_process=True,
)
