"""A processor that is too slow for its group says which setting and which step."""

from __future__ import annotations

import time

import pytest

from factorylab.factory.processor.pace import Pace


def test_a_slow_round_is_explained_by_its_slowest_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text names the setting, what took how long and what to do, or that the process stood still."""
    clock = iter([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 12])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    pace = Pace(6.0)
    pace.begin()
    for step in ("preparing", "delivering", "storing"):
        pace.did(step)  # type: ignore[arg-type]
    text = pace.explain()
    for word in ("max.poll.interval.ms = 6000", "12.0 s", "storing 10.0 s", "FACTORYLAB_STORE_DEADLINE_S"):
        assert word in text
    monkeypatch.undo()
    assert not pace.late and Pace(-1.0).late
    assert "stood still" in Pace(6.0, {"preparing": 0.1}).explain()


def test_deadlines_that_outlast_the_interval_are_told_at_the_start() -> None:
    """Where a batch may lawfully take longer than the group waits, the text names the settings and their values."""
    assert Pace(300.0).too_short_for(30, 60) == ""
    text = Pace(60.0).too_short_for(30, 60)
    for word in ("90 s", "FACTORYLAB_PRODUCE_DEADLINE_S 30", "FACTORYLAB_STORE_DEADLINE_S 60", "= 60000"):
        assert word in text
