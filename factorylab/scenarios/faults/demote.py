"""Every partition of sensor-data that the broker leads gets another leader, by request; the broker goes on as it is.

Its replicas are reassigned in another order, which copies nothing, and a preferred election has the new first one lead.
Undone, they get their former order and leader back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from factorylab.scenarios.faults.kind import FaultKind, LeadersShow, Leading, Proof, TargetNode

SEEN_S = 2.0  # the probe asks five times a second, and on a busy machine less often


def _others_lead(broker: int, before: Mapping[int, Leading], since: Mapping[int, Sequence[Leading]]) -> Proof:
    """Each partition that it led is once led by another broker, in a later leader epoch."""
    led = {partition: at.epoch for partition, at in sorted(before.items()) if at.leader == broker}
    if not led:
        return Proof(False, "was not seen to lead anything before")
    found = {
        partition: [at for at in since.get(partition, ()) if at.leader not in {broker, -1} and at.epoch > epoch]
        for partition, epoch in led.items()
    }
    if kept := [f"p{partition}" for partition, later in found.items() if not later]:
        return Proof(False, f"was not seen to give up {', '.join(kept)}")
    told = (f"p{p} to broker-{later[0].leader} (epoch {led[p]} → {later[0].epoch})" for p, later in found.items())
    return Proof(True, f"gave up {', '.join(told)}")


async def _reinstate(node: TargetNode) -> bool:
    await node.request("reinstate")
    return True


KIND = FaultKind(
    "demote",
    "what it leads is led by others, by reassignment and preferred election",
    LeadersShow(_others_lead),
    inject=lambda node: node.request("demote"),
    doing="Giving what {} leads to other leaders",
    undo=_reinstate,
    undone="gave {node} back what it led",
    roles=("broker",),
    needs="leaderships",
    undo_last=True,
    at_least_s=SEEN_S,
    by_request=True,
)
