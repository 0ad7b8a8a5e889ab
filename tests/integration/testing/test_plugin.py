"""The plugin in other people's suites."""

from __future__ import annotations

from pathlib import Path

from tests.support.heavy import HEAVY
from tests.support.own_suite import run

SUITE = f"""
import sys
import pytest

def test_that_asks_for_nothing():
    assert [name for name in sys.modules if name.partition(".")[0] in {HEAVY}] == []
    assert [name for name in sys.modules if name.startswith("factorylab.cluster")] == []

@pytest.mark.kafka_topic(partitions=2)
def test_that_asks_for_a_topic(topic):
    pass
"""


def test_who_asks_for_no_lab_gets_none_and_who_cannot_have_one_is_told_why(tmp_path: Path) -> None:
    """Nothing heavy is imported and no lab looked for until a fixture is used; then a setting that is wrong ends the
    test with its reason and no traceback. A strict suite, whose warnings are errors, knows the marker."""
    ended = run(tmp_path, SUITE, tmp_path / "home", "addopts = --strict-markers\nfilterwarnings = error",
                FACTORYLAB_BACKEND="external")  # fmt: skip
    assert ended.outcomes == {"test_that_asks_for_nothing": "PASSED", "test_that_asks_for_a_topic": "ERROR"}, ended.said
    assert "the backend external is for runs alone" in ended.said and "Traceback" not in ended.said
    assert "factorylab/testing/plugin.py" not in ended.said and not (tmp_path / "home").exists()
