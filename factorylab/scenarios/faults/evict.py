"""The coordinator takes a member out of the group, by request; its process goes on, is told so, and joins again.

The partitions of a member that still works are given to others: what it does with them until it is told is a zombie's.
"""

from factorylab.scenarios.faults.kind import FaultKind, MembershipEnds

KIND = FaultKind(
    "evict",
    "taken out of its consumer group, by request",
    MembershipEnds(),
    inject=lambda node: node.request("evict"),
    doing="Taking {} out of its consumer group",
    roles=("processor",),
    by_request=True,
    undoes_itself=True,
)
