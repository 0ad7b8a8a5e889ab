"""The command that repeats a run, and a report of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.report import build
from factorylab.report.reproduce import command
from factorylab.scenarios.catalog import SCENARIOS
from factorylab.scenarios.catalog import build as named
from factorylab.scenarios.model import Scenario


def test_a_report_of_nothing_says_so(tmp_path: Path) -> None:
    """Without runs there is a page, and it says that there are none."""
    assert "There are no runs" in build([], tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("broker_loss", {}),
        ("broker_loss", {"target": "controller", "hold_s": 20.0, "acks": "1", "expect": ["lost_in_log"]}),
        ("baseline", {"seconds_s": 30.0, "seed": 7}),
        ("high_load", {"steps_per_s": [1000.0, 2000.0]}),
        ("recorded_machine", {"source": "some file.csv"}),
        ("network_partition", {"direction": "in", "refresh_s": 2.5, "acks": "1", "expect": ["lost_in_log"]}),
    ],
)
def test_the_command_repeats_the_scenario(name: str, given: dict[str, object]) -> None:
    """The words of the command, read back as `-p key=value`, give the very same scenario."""
    import shlex

    import yaml

    scenario = named(name, given)
    text = command(scenario)
    assert text is not None
    words = [word for word in shlex.split(text)[3:] if word != "-p"]
    parsed = {word.partition("=")[0]: yaml.safe_load(word.partition("=")[2]) for word in words}
    assert named(name, parsed) == scenario and set(given) == set(parsed)


def test_a_scenario_without_a_name_has_no_command() -> None:
    """Where no parameters give the scenario, no command is made up."""
    changed = SCENARIOS["broker_loss"]().model_dump() | {"schedule": {"warm_up_s": 99}}
    assert command(Scenario.model_validate(changed)) is None
    assert command(Scenario(name="mine")) is None
