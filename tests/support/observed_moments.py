"""Moments of an observation in which a leader is frozen, the observer is stopped, and nobody answers at last."""

from __future__ import annotations

from collections.abc import Iterator

from factorylab.core.clock import NS
from factorylab.operations.observe.foreign import Event
from factorylab.operations.observe.moments import Moments
from factorylab.operations.observe.shown import ObservedMoment
from factorylab.operations.observe.summary import Plan
from tests.support.observed import PARTITIONS, RATE_HZ, ObservedWorld, SeenCluster

TICK_S = 0.5
QUIET_S, OUT_S, STOPPED_S, BLIND_S = 20.0, 6.0, 3.0, 4.0


def story() -> Iterator[ObservedMoment]:
    """Partition 0 is out for OUT_S since its leader is silent, until another leads it. After quiet seconds the observer
    is stopped for STOPPED_S; after more of them no broker says who leads, for BLIND_S."""
    world = ObservedWorld()
    seen = SeenCluster(world)
    moments = Moments(world.account, Plan("kafka.example:9092", "factorylab-canary", PARTITIONS, RATE_HZ, 0.999), seen)

    def go_on(for_s: float, *, looked: bool = True) -> Iterator[ObservedMoment]:
        for _ in range(round(for_s / TICK_S)):
            world.run(TICK_S)
            seen.looked_s = world.now_s if looked else seen.looked_s
            yield moments.of(world.now_ns, "observing")
            moments.taken()

    def happened(event: Event) -> None:
        world.account.happened(event)
        moments.told(event)

    yield from go_on(QUIET_S)
    world.out(OUT_S, 0)
    seen.silent = {1}
    yield from go_on(1.0)
    now = world.now_ns
    happened(Event("broker silent", "broker 1", "does not answer", now - NS // 2, now, (0, 1), (0,)))
    yield from go_on(OUT_S - 1.0)
    seen.leaders, seen.isr = [2, 2], [(2, 3), (2, 3)]
    now = world.now_ns
    happened(Event("leader", "partition 0", "leader 1 → 2, epoch 5 → 6", now - NS // 2, now, (0,)))
    yield from go_on(QUIET_S)
    world.sleep(STOPPED_S)
    yield from go_on(QUIET_S)
    yield from go_on(BLIND_S, looked=False)
