"""An orderly end, and started again at once: one step of a rolling restart."""

from factorylab.scenarios.faults.kind import ANOTHER_PROCESS, FaultKind, back_at_once

KIND = FaultKind(
    "bounce",
    "SIGTERM, and started again at once",
    ANOTHER_PROCESS,
    inject=lambda node: node.terminate(),
    hold=back_at_once,
    doing="Ending {} by SIGTERM and starting it again",
    roles=("broker",),
    ends_process=True,
    undoes_itself=True,
)
