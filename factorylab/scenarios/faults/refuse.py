"""The database lives, and takes no connections."""

from factorylab.scenarios.faults.kind import DatabaseAnswers, FaultKind

KIND = FaultKind(
    "refuse",
    "lives, and takes no connections",
    DatabaseAnswers("refused"),
    inject=lambda node: node.refuse(),
    doing="Letting {} take no connections",
    undo=lambda node: node.accept(),
    undone="lifted the refusal of connections",
    roles=("database",),
    undo_last=True,
)
