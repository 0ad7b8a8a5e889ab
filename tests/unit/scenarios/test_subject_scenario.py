"""A program under test in a scenario: how it is written down, and what is refused."""

from __future__ import annotations

import pytest

from factorylab.core.errors import ScenarioError, UsageError
from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import Scenario, scenario_from
from factorylab.scenarios.subject import QUERY

MINE = {"name": "mine", "subject": {"command": ["mine", "--flag"]}}

FILE = {"command": ["a"], "output": "file", "file": "out.csv"}
RECORD = {"command": ["a"], "record": "{sensor} {seq}"}


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
        ({"subject": {"command": ["a"], "output": "file"}}, "output=file and file, the path, belong together"),
        ({"subject": {"command": ["a"], "file": "out"}}, "output=file and file, the path, belong together"),
        ({"subject": {"command": ["a"], "identity": "{sensor} {seq}"}}, "a table is asked by a query"),
        ({"subject": {"command": ["a"], "record": "{sensor}"}}, r"record '\{sensor\}': it needs \{seq\} once"),
        ({"subject": {"command": ["a"], "output": "topic", "identity": "{seq}"}}, r"identity .* needs \{sensor\} once"),
        ({"subject": FILE | {"file": "{id}.csv"}}, r"has a place \{id\}: places are \{instance\} and \{run\}"),
        ({"subject": FILE | {"identity": "{sensor} {seq}", "times": True}}, r"an identity that has \{at\}"),
        ({"subject": FILE, "clients": {"processors": 2}}, "2 instances cannot share the file 'out.csv'"),
        ({"subject": RECORD, "workload": {"poison_rate": 0.1}}, "leave out source and poison_rate"),
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
