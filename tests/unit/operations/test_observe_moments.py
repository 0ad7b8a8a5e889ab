"""The moments of an observation that its live page shows."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from factorylab.operations.observe.foreign import Event
from factorylab.operations.observe.latency import ERROR, RECENT_S, RecentLatency
from factorylab.operations.observe.moments import Moments
from factorylab.operations.observe.shown import ObservedMoment, OutageShown
from factorylab.operations.observe.summary import Plan
from tests.support.observed import PARTITIONS, RATE_HZ, ObservedWorld, SeenCluster
from tests.support.observed_moments import BLIND_S, OUT_S, QUIET_S, STOPPED_S, story


@pytest.fixture(scope="module")
def told() -> list[ObservedMoment]:
    return list(story())


def test_an_outage_is_told_with_its_cause_until_its_end_is_known(told: list[ObservedMoment]) -> None:
    """Both services of the partition that had no leader were out for as long as it had none, nothing else was; each
    outage comes while it goes on, and with its end."""
    seen: dict[tuple[str, int, float], list[OutageShown]] = {}
    for moment in told:
        for one in moment.outages:
            seen.setdefault((one.service, one.partition, one.start_s), []).append(one)
    assert sorted((service, partition) for service, partition, _ in seen) == [("consume", 0), ("produce", 0)]
    for words in seen.values():
        first, last = words[0], words[-1]
        assert first.end_s is None and last.end_s is not None and last.cause == "no leader"
        assert last.end_s - last.start_s == pytest.approx(last.lasted_s, abs=1e-6)
        assert OUT_S - 1 < last.lasted_s < OUT_S + 1


def test_what_waits_is_not_yet_judged(told: list[ObservedMoment]) -> None:
    """A service is known until the first canary that waits; before the second in which it may still be answered, it is
    neither there nor out."""
    unknown = [
        moment for moment in told for one in moment.services if one.partition == 0
        if one.known_until_s < moment.at_s - 0.1 and not moment.outages
    ]  # fmt: skip
    assert unknown and all(moment.services[0].known_until_s <= moment.at_s for moment in told)


def test_own_pauses_and_old_answers_are_told_as_such(told: list[ObservedMoment]) -> None:
    """The time in which the observer was stopped comes with its reason; when nobody has said for long who leads, that
    is not known, and the age of the last answer goes on growing."""
    spans = {(one.start_s, one.end_s) for moment in told for one in moment.unseen}
    assert len(spans) == 1 and STOPPED_S <= next(end - start for start, end in spans) <= 2 * STOPPED_S + 1
    last = told[-1]
    assert last.partitions[0].leader is None and last.partitions[0].isr is None
    assert BLIND_S <= (last.ages_s["leaders"] or 0) < 2 * BLIND_S
    assert last.observed_s < last.elapsed_s and last.because and last.verdict == "FAIL"


def test_time_only_grows_and_each_event_is_a_mark_once(told: list[ObservedMoment]) -> None:
    """Two moments a second, and each thing that others did in one of them."""
    assert all(before.at_s < after.at_s for before, after in pairwise(told))
    assert [mark.kind for moment in told for mark in moment.marks] == ["broker silent", "leader"]
    assert math.isclose(told[0].at_s - told[0].elapsed_s, told[-1].at_s - told[-1].elapsed_s)
    assert told[-1].at_s - told[0].at_s > QUIET_S


def test_recent_latency_forgets() -> None:
    """Of what was complete more than ten seconds ago nothing is left; of the rest the quantiles are within their
    error."""
    recent = RecentLatency()
    for second in range(30):
        recent.add(second + 0.5, 9.0 if second < 15 else 0.02)
    assert recent.since(29.9).count == RECENT_S
    assert recent.since(29.9).quantile(0.99) == pytest.approx(0.02, rel=ERROR)
    assert recent.since(60.0).quantile(0.5) is None


def test_an_event_waits_for_a_moment_that_is_taken() -> None:
    """Where a moment was left out, its marks come with the next one."""
    world = ObservedWorld()
    moments = Moments(world.account, Plan("here", "canary", PARTITIONS, RATE_HZ, 0.999), SeenCluster(world))
    world.run(1)
    moments.told(Event("leader", "partition 0", "leader 1 → 2", world.now_ns, world.now_ns, (0,)))
    marked = []
    for taken in (False, True, True):
        marked.append(len(moments.of(world.now_ns, "observing").marks))
        if taken:
            moments.taken()
    assert marked == [1, 1, 0]
