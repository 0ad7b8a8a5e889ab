"""The account of an observation, by a clock that is given: hours of it take a second or two."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from factorylab.analysis.causes import ISR_WAITS, NO_LEADER, UNKNOWN
from factorylab.analysis.silence import HICCUP_S, STALL_S
from factorylab.core.clock import NS, ClockStamp
from factorylab.operations.observe.availability import SERVICES
from factorylab.operations.observe.foreign import Event, EventKind
from factorylab.operations.observe.own_time import SETTLE_MAX_S, Unobserved
from tests.support.observed import BEGINS_S, PARTITIONS, RATE_HZ, STEP_S, WALL_NS, ObservedWorld

HOUR_S = 3_600
WITHIN_S = 0.5


def event(world: ObservedWorld, kind: EventKind, *, led: tuple[int, ...] = (), earlier_s: float = 0.5) -> Event:
    """Seen just now, and come to be up to `earlier_s` before."""
    after_ns = world.now_ns - round(earlier_s * NS)
    return Event(kind, "broker 1", "said", after_ns, world.now_ns, (0, 1), led)


def test_eight_quiet_hours_raise_no_alarm() -> None:
    """Of 8 hours of a healthy cluster nothing is told, all of them are observed, and every canary is accounted for."""
    world = ObservedWorld()
    world.run(8 * HOUR_S)
    seen = world.summary()
    assert world.told == [] and seen.outages == [] and seen.verdict == "PASS"
    assert seen.observed_s == pytest.approx(8 * HOUR_S, abs=1)
    counts = seen.canaries
    assert counts.offered == counts.acknowledged == counts.read
    assert counts.offered == pytest.approx(8 * HOUR_S * RATE_HZ * PARTITIONS, abs=PARTITIONS)


def test_memory_is_flat() -> None:
    """Once what is remembered of each kind has been replaced, ten minutes more with an outage a minute add nothing."""
    world = ObservedWorld()
    world.run(0.3 * HOUR_S)
    tracemalloc.start()
    try:
        world.run(0.3 * HOUR_S)
        before, _ = tracemalloc.get_traced_memory()
        world.run(0.2 * HOUR_S)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000


def test_twenty_planted_outages_are_found() -> None:
    """20 outages from a second to minutes, of one partition or both, are found once each, with start and end within
    half a second; nothing else is."""
    world, chance, planted = ObservedWorld(), random.Random(7), []
    for number in range(20):
        world.run(chance.uniform(5, 60))
        hit = (0, 1) if number % 3 == 0 else (number % 2,)
        lasts_s = chance.choice([1.6, 2.5, 7, 30, 150]) * chance.uniform(1, 1.3)
        planted += [(partition, world.now_s, world.now_s + lasts_s) for partition in hit]
        world.out(lasts_s, *hit)
        world.run(lasts_s)
    world.run(10)
    for service in SERVICES:
        found = {p: [o for o in world.outages(service) if o.partition == p] for p in range(PARTITIONS)}
        for partition, mine in found.items():
            wanted = [(start_s, end_s) for hit, start_s, end_s in planted if hit == partition]
            assert len(mine) == len(wanted)
            for outage, (start_s, end_s) in zip(mine, wanted, strict=True):
                assert outage.end_ns is not None
                assert outage.earliest_start_ns / NS - STEP_S <= start_s <= outage.start_ns / NS + STEP_S
                assert outage.start_ns / NS - start_s <= WITHIN_S + STEP_S
                assert abs(outage.end_ns / NS - end_s) <= WITHIN_S


def test_a_short_silence_needs_a_cause() -> None:
    """0.8 s without service are told where an event explains them, and are a busy host's where none does."""
    quiet, caused = ObservedWorld(), ObservedWorld()
    for world in (quiet, caused):
        world.run(10)
        world.out(1.3, 0)
        world.run(0.6)
    caused.account.happened(event(caused, "ISR shrunk"))
    for world in (quiet, caused):
        world.run(10)
    (outage,) = caused.outages("produce")
    assert STALL_S < outage.lasted_s(caused.now_ns) < HICCUP_S and outage.cause == ISR_WAITS
    assert quiet.outages() == []


@pytest.mark.parametrize(
    ("kind", "led", "after_s", "cause"),
    [
        ("broker gone", (0,), 1.0, NO_LEADER),
        ("broker gone", (1,), 1.0, ISR_WAITS),
        ("broker silent", (0,), 1.0, NO_LEADER),
        ("ISR expanded", (), 1.0, UNKNOWN),
        ("broker gone", (0,), 60.0, UNKNOWN),
    ],
)
def test_an_event_explains_what_it_can(kind: EventKind, led: tuple[int, ...], after_s: float, cause: str) -> None:
    """What took the leader or a replica away while the partition was out explains it; what was good, or came a minute
    later, does not."""
    world = ObservedWorld()
    world.run(10)
    world.out(5, 0)
    world.run(after_s)
    world.account.happened(event(world, kind, led=led))
    world.run(10)
    (outage,) = world.outages("produce")
    assert outage.cause == cause and bool(outage.events) == (after_s < 5)


def test_an_outage_that_goes_on_is_open() -> None:
    """It is counted so far, and has no end."""
    world = ObservedWorld()
    world.run(10)
    world.out(1_000, 0)
    world.run(20)
    (outage,) = world.outages("produce")
    assert outage.end_ns is None and outage.lasted_s(world.now_ns) == pytest.approx(20, abs=WITHIN_S + STEP_S)
    assert world.summary().levels[0].out_s == pytest.approx(20, abs=WITHIN_S + STEP_S)


def test_a_stopped_observer_is_no_outage() -> None:
    """30 s in which it did not run, and what its clients then need, are not observed: no outage, no harm."""
    world = ObservedWorld()
    world.run(10)
    world.sleep(30)
    world.run(40)
    seen = world.summary()
    assert seen.outages == [] and [type(one) for one in world.told] == [Unobserved]
    assert seen.elapsed_s - seen.observed_s == pytest.approx(30 + SETTLE_MAX_S, abs=2 * STEP_S)
    assert "did not run for 30" in seen.not_observed[0].why and seen.verdict == "PASS"


def test_who_slept_most_of_the_time_cannot_say_that_all_was_well() -> None:
    """Less than half of the time observed is INVALID."""
    world = ObservedWorld()
    world.run(10)
    world.sleep(60)
    world.run(10)
    assert world.summary().verdict == "INVALID"


def test_an_outage_around_a_pause_is_one() -> None:
    """The cluster is out before and after: one outage, whose unseen part is not counted."""
    world = ObservedWorld()
    world.run(10)
    world.out(25, 0)
    world.run(5)
    world.sleep(10)
    world.run(30)
    (outage,) = world.outages("produce")
    assert outage.starts_seen and outage.ends_seen and outage.unseen_s == pytest.approx(12, abs=2 * STEP_S)
    assert outage.lasted_s(world.now_ns) == pytest.approx(25 - 12, abs=WITHIN_S + 2 * STEP_S)


def test_the_end_of_an_outage_may_be_missed() -> None:
    """The cluster came back while the observer slept: the outage ends "or later", where it was last seen."""
    world = ObservedWorld()
    world.run(10)
    world.out(8, 0)
    world.run(5)
    world.sleep(10)
    world.run(30)
    (outage,) = world.outages("produce")
    assert not outage.ends_seen and outage.lasted_s(world.now_ns) == pytest.approx(5, abs=WITHIN_S + 2 * STEP_S)


def test_a_stepped_clock_is_not_observed() -> None:
    """The wall clock jumps by an hour between two readings: no outage, a second that was not observed, and times after
    it are by the new clock. A drift of milliseconds is nothing."""
    world = ObservedWorld()
    own = world.account.own
    world.run(10)
    at = ClockStamp("boot", world.now_ns, WALL_NS + world.now_ns - round(BEGINS_S * NS) + NS // 100)
    assert own.stamped(at) is None
    world.run(1)
    stepped = own.stamped(ClockStamp("boot", world.now_ns, at.wall_ns + (HOUR_S + 1) * NS))
    assert stepped is not None and "stepped by +3600" in stepped.why
    assert own.wall_ns(world.now_ns) == at.wall_ns + (HOUR_S + 1) * NS
    world.run(10)
    assert world.outages() == [] and world.summary().observed_s == pytest.approx(20, abs=2 * STEP_S)


def test_a_full_disk_is_not_observed() -> None:
    """While evidence cannot be written, an outage cannot be shown; from the first line that is written on, it can."""
    world = ObservedWorld()
    world.run(10)
    world.account.own.unwritten(world.now_ns, "No space left on device")
    world.out(5, 0)
    world.run(10)
    assert world.outages() == [] and world.summary().observed_s == pytest.approx(10, abs=STEP_S)
    found = world.account.own.written(world.now_ns)
    assert found is not None and "No space left" in found.why
    world.run(10)
    assert world.outages() == [] and world.summary().observed_s == pytest.approx(20, abs=2 * STEP_S)


def test_the_budget_is_of_the_time_that_was_observed() -> None:
    """An outage of 9 s of one of two partitions in 100 s: 4.5 % of the partition-seconds, against 10 % allowed passes,
    against 1 % fails."""
    world = ObservedWorld()
    world.run(10)
    world.out(9, 0)
    world.run(90)
    seen = world.summary(objective=0.9)
    produce = seen.budgets[0]
    assert produce.allowed_s == pytest.approx(0.1 * 100 * PARTITIONS, abs=0.1)
    assert produce.used_s == pytest.approx(9, abs=WITHIN_S + STEP_S)
    assert seen.verdict == "PASS" and world.summary(objective=0.99).verdict == "FAIL"
