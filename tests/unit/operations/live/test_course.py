"""Lag in seconds, trend and rates: what follows from answers, and what does not."""

from __future__ import annotations

import pytest

from factorylab.operations.live.course import KEPT_S, Counted, Course, rate_of
from factorylab.operations.live.moments import Lag, PartitionShown


def told(*entries: tuple[float, int]) -> Counted:
    counted = Counted()
    for at_s, count in entries:
        counted.tell(at_s, count)
    return counted


def course(ends: Counted, stored: Counted) -> Course:
    return Course(ends={0: ends}, stored={0: stored})


def test_lag_in_seconds_is_since_the_log_had_what_is_stored() -> None:
    """The log had 150 records at 5 s; with 150 stored at 20 s the store is 15 s behind, and 0 s at the log's end."""
    ends = told((0, 0), (10, 300), (20, 600))
    assert course(ends, told((20, 150))).lag_s(0, 20) == (15, False)
    assert course(ends, told((20, 600))).lag_s(0, 20) == (0, False)
    assert course(ends, Counted()).lag_s(0, 20) is None


def test_a_lag_from_before_the_watch_is_at_least_so_long() -> None:
    """Where the log had more than is stored when it was first looked at, nobody knows since when."""
    assert course(told((0, 100), (10, 200)), told((10, 40))).lag_s(0, 10) == (10, True)


def test_rates_are_not_carried_on_without_answers() -> None:
    """Two answers make a rate, one makes none, and when the latest is old there is none of now."""
    assert told((0, 0), (2, 100)).rate_per_s(2, 3) == 50
    assert told((0, 0)).rate_per_s(0, 3) is None
    assert told((0, 0), (2, 100)).rate_per_s(10, 3) is None
    assert rate_of([told((0, 0), (2, 100)), told((0, 5))], 2) is None
    assert rate_of([], 2) is None


def test_a_count_that_began_again_is_no_negative_rate() -> None:
    """A fleet that was restarted counts from 0."""
    assert told((0, 900), (1, 1000), (2, 0), (3, 70)).rate_per_s(3, 3) == 70


def test_what_is_kept_is_bounded() -> None:
    """Answers older than 15 minutes go."""
    counted = told(*((float(n), n) for n in range(2000)))
    assert len(counted.times_s) == KEPT_S + 1 and counted.counts[0] == 1999 - KEPT_S


def test_the_lag_of_all_is_not_known_while_that_of_one_is_not() -> None:
    """A partition whose end nobody tells makes no zero."""
    known, unknown = PartitionShown(0, lag_records=7, lag_s=0.1), PartitionShown(1)
    assert Course().lag(0, [known, unknown]) == Lag() == Course().lag(0, [])


@pytest.mark.parametrize(("per_s", "drains_s"), [(-100.0, 14.0), (100.0, None), (0.0, None)])
def test_time_to_drain_follows_from_the_trend(per_s: float, drains_s: float | None) -> None:
    """A lag that falls by 100 records a second, now 1,400, is drained in 14 s; another never."""
    seen = Course()
    for second in range(7):
        records = 2000 + round(per_s * second)
        lag = seen.lag(second, [PartitionShown(0, lag_records=records, lag_s=8.0)])
    assert (lag.trend_per_s, lag.drain_s) == (per_s, drains_s)
