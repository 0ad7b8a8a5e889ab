"""An orderly end, and started again at once: one step of a rolling restart."""

from factorylab.scenarios.faults.kind import ANOTHER_PROCESS, FaultKind, bounced

KIND = FaultKind(
    "bounce",
    "SIGTERM, and started again at once",
    ANOTHER_PROCESS,
    inject=bounced,
    roles=("broker",),
    ends_process=True,
    undoes_itself=True,
)
