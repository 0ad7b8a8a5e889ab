"""CPU time of a node over its processes."""

from __future__ import annotations

from factorylab.execution.cpu_time import CpuTime


def test_a_process_that_ended_is_not_forgotten() -> None:
    """What a dead process used stays, and its successor's time, which begins at 0, is added: differences are never
    below zero, and those over a restart are what both used."""
    looks = [(7, 1.0), (7, 3.0), (7, None), (7, None), (8, 0.5), (8, 2.0), (8, None)]
    used = CpuTime()
    assert [used.of(*look) for look in looks] == [1, 3, 3, 3, 3.5, 5, 5]


def test_a_child_between_two_places_takes_nothing_away() -> None:
    """A child that ended and was not waited for yet is missing for a look; the total does not fall."""
    used = CpuTime()
    assert [used.of(7, seconds) for seconds in (2.0, 1.5, 2.5)] == [2, 2, 2.5]
