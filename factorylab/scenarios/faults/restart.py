"""Killed and started again at once, as a restart policy does: there is nothing to undo, and hold_s may be 0."""

from collections.abc import Sequence

from factorylab.scenarios.faults.kind import FaultKind, ProcessShows, ProcessState, Proof, TargetNode


async def _restart(node: TargetNode) -> None:
    await node.kill()
    await node.gone()
    await node.start()


def _another(before: Sequence[ProcessState], since: Sequence[ProcessState]) -> Proof:
    """Another process runs than before."""
    if not before or before[-1].pid is None:
        return Proof(False, "was not seen to run before")
    old = before[-1].pid
    new = next((look.pid for look in since if look.status == "running" and look.pid != old), None)
    if new is None:
        return Proof(False, f"was not seen to run as another process than {old} ({len(since)} samples)")
    return Proof(True, f"is process {new}, no longer {old}")


KIND = FaultKind(
    "restart",
    "killed and started again at once",
    ProcessShows("to run as another process", _another),
    inject=_restart,
    doing="Killing {} and starting it again at once",
    ends_process=True,
    undoes_itself=True,
)
