"""The node gets a tenth of one CPU, as on a host that others overload.

Where the backend can, the kernel limits the node's control group. Elsewhere the node is stopped most of the time and
goes on for a short slice in each period. What it had beyond its share, because a slice ended late or on two CPUs
at once, it must make up for.

The evidence is that such a limit, or such stops, were in force, and CPU time as the kernel counts it: no more
than the limit allows. A node with little to do is slow as well: nothing is asked of what it used before.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from factorylab.scenarios.faults.kind import FaultKind, ProcessShows, ProcessState, Proof, TargetNode

SHARE = 0.1
PERIOD_S = 0.17  # no part of the probe's period, or each of its looks would meet the same phase
SPAN_S = 1.5  # of looks, at least
MOSTLY = 0.5  # of the looks; it is stopped for nine tenths of the time, and less on a host that wakes us late
TOLERANCE = 1.25  # of what the limit allows
LATE_S = 0.2  # CPU time that a slice which ends late may take until it is made up for


@runtime_checkable
class Limitable(Protocol):
    """A node whose control group the kernel can limit to a share of one CPU."""

    async def limit(self, share: float) -> None: ...

    async def unlimit(self) -> bool: ...


@runtime_checkable
class Stoppable(Protocol):
    """A node that can be stopped for a moment with its children; going on does nothing to one that a fault paused."""

    def stop(self) -> None: ...

    def go_on(self) -> None: ...


async def _limit(node: TargetNode) -> None:
    if isinstance(node, Limitable):
        await node.limit(SHARE)


async def _stop_in_turns(node: TargetNode) -> None:
    """A node that is started anew meanwhile is slow as well."""
    if not isinstance(node, Stoppable):
        return
    slice_s = SHARE * PERIOD_S
    last, owed_s = node.look(), 0.0
    while True:
        began_s, ran_s = time.monotonic(), 0.0
        if owed_s < slice_s:
            node.go_on()
            await asyncio.sleep(slice_s)
            ran_s = time.monotonic() - began_s
        node.stop()  # also one without a slice: it may have been started anew since, and would run on
        await asyncio.sleep(PERIOD_S - slice_s)
        now = node.look()
        used_s = max(ran_s, now.cpu_s - last.cpu_s) if now.pid == last.pid else ran_s
        owed_s = max(0.0, owed_s + used_s - SHARE * (time.monotonic() - began_s))
        last = now


async def _unlimit(node: TargetNode) -> bool:
    if isinstance(node, Limitable):
        return await node.unlimit()
    if isinstance(node, Stoppable):
        node.go_on()
    return True


def _slowed(_: Sequence[ProcessState], since: Sequence[ProcessState]) -> Proof:
    """Limited or stopped most of the time, and used no more CPU time than that allows."""
    lived = Counter(look.pid for look in since if look.status != "dead")
    looks = [look for look in since if lived and look.pid == lived.most_common(1)[0][0] and look.status != "dead"]
    span_s = looks[-1].at_s - looks[0].at_s if looks else 0
    if span_s < SPAN_S:
        return Proof(False, f"was looked at for only {span_s:.1f} s while it was slow")
    stopped = sum(look.status == "paused" for look in looks)
    used_s = looks[-1].cpu_s - looks[0].cpu_s
    words = f"{used_s / span_s:.3f} of a CPU over {span_s:.1f} s"
    if all(look.cpu_limit is not None and look.cpu_limit <= SHARE for look in looks):
        how = f"limited by the kernel to {SHARE:g}"
    elif stopped < MOSTLY * len(looks):
        return Proof(False, f"was not limited, and stopped in only {stopped} of {len(looks)} looks; it used {words}")
    elif stopped == len(looks) and not used_s:
        return Proof(False, f"was never seen to run in {len(looks)} looks: that is a pause")
    else:
        how = f"stopped in {stopped} of {len(looks)} looks"
    if used_s > TOLERANCE * SHARE * span_s + LATE_S:
        return Proof(False, f"used {words}, more than {SHARE:g}, though {how}")
    return Proof(True, f"used {words}, {how}")


KIND = FaultKind(
    "slow",
    "a tenth of one CPU",
    ProcessShows(f"to get {SHARE:g} of a CPU", _slowed, every_s=0.1),
    inject=_limit,
    doing="Slowing {} to a tenth of a CPU",
    hold=_stop_in_turns,
    undo=_unlimit,
    undone="gave {node} its CPU back",
    at_least_s=2 * SPAN_S,
    stops_in_turns=True,
)
