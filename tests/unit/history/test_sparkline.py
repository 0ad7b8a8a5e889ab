"""A run's course, small enough for a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.analysis.course import course
from factorylab.history import run_folders, sparkline
from factorylab.history.sparkline import DIGITS, PARTS, Course
from factorylab.scenarios.catalog import build
from tests.support.histories import healthy


@pytest.mark.parametrize(
    ("values", "digits"),
    [([0, 5, 10], "049"), ([0, 0], "00"), ([3, 3], "99"), ([], ""), ([-1, 2], "09"), ([4, 4, 1, 40, 4], "44194")],
)
def test_each_value_is_a_sign(values: list[float], digits: str) -> None:
    """Zero is the lowest sign, the highest value the highest, or twice the median where a peak is above that."""
    assert sparkline.drawn(values, DIGITS) == digits


def test_a_course_is_kept_beside_its_run(tmp_path: Path) -> None:
    """What is written is read again; a run without one, or with a broken file, has none."""
    run = run_folders.create(tmp_path, build("baseline", {}))
    assert sparkline.read(run) is None
    told = Course(of="stored", seconds=2.0, per_s=[1.0, 2.5])
    sparkline.write(run, told)
    assert sparkline.read(run) == told
    sparkline.path_of(run).write_text("{")
    assert sparkline.read(run) is None


def test_the_course_of_a_healthy_run_is_level(tmp_path: Path) -> None:
    """In a run that stores what it is offered, the parts in the middle are at its rate."""
    history = healthy(tmp_path)
    found = course(history.run())
    assert found is not None and found.of == "stored" and len(found.per_s) == min(PARTS, round(found.seconds * 4))
    middle = found.per_s[len(found.per_s) // 3 : len(found.per_s) // 2]
    assert middle and all(value == pytest.approx(history.scenario.workload.rate_per_s, rel=0.35) for value in middle)
