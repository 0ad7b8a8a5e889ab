"""A program under test in a scenario: how it is written down, and what is refused."""

from __future__ import annotations

import pytest

from factorylab.core.errors import ScenarioError, UsageError
from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import Scenario, scenario_from
from factorylab.scenarios.subject import QUERY

MINE = {"name": "mine", "subject": {"command": ["mine", "--flag"]}}


def test_without_a_subject_a_scenario_is_written_as_ever() -> None:
    """The key is not there, so that files of the factory's own runs stay what they were, byte for byte."""
    written = Scenario(name="any")
    assert "subject" not in written.model_dump(mode="json") and "subject" not in written.model_dump_json()


def test_a_subject_takes_the_processors_place() -> None:
    """Nobody has to say it twice, and a saved scenario is read as it was written."""
    found = scenario_from(MINE, "test")
    assert found.clients.processor == "subject" and found.subject and found.subject.sql == QUERY
    assert scenario_from(found.model_dump(mode="json"), "test") == found


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"subject": {"command": []}}, "it names no program"),
        ({"subject": {"command": ["a\0b"]}}, "NUL"),
        ({"subject": {"command": ["a"], "output": "topic", "query": "SELECT 1"}}, "a topic is read as a whole"),
        ({"subject": {"command": ["a"], "times": True}}, "times come with a query"),
        ({"subject": None, "clients": {"processor": "subject"}}, "belong together"),
        ({"clients": {"processor": "naive"}}, "belong together"),
        ({"objectives": {"latency_p99_s": 1}}, "a program under test writes none"),
        ({"faults": [{"kind": "kill", "target": "processor:0", "step": "polled"}]}, "none that are known"),
    ],
)
def test_what_cannot_mean_anything_is_refused(changes: dict[str, object], why: str) -> None:
    """With the rule that it breaks, before anything starts."""
    with pytest.raises(ScenarioError, match=why):
        scenario_from(MINE | changes, "test")


def test_faults_come_one_after_the_other() -> None:
    """Each in its turn, so that what one does is over before the next; who is killed comes back soon."""
    found = build("your_application", {"faults": ["kill processor:0", "pause leader:1"]}).faults
    assert [(f.kind, f.target, f.hold_s) for f in found] == [("kill", "processor:0", 2), ("pause", "leader:1", 8)]
    assert found[1].at_s > found[0].at_s + found[0].hold_s + 6


def test_a_fault_needs_a_target() -> None:
    """The way to write it is told."""
    with pytest.raises(UsageError, match="write a kind and a target, as in 'kill processor:0'"):
        build("your_application", {"faults": ["kill"]})
