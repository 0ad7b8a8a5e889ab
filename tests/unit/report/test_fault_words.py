"""What was done to whom, as the beginning of a sentence."""

from __future__ import annotations

import pytest

from factorylab.audit.model.findings import Recovery, Span
from factorylab.report.fault_words import done
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.targets import named
from tests.support.histories import scenario


def hit(fault: int, node: str, held_s: float) -> Recovery:
    return Recovery(
        fault=fault, kind="", target="", node=node, held_s=held_s, detection=None, recovery=Span(1.0), catch_up=None,
        ack_gaps=[],
    )  # fmt: skip


@pytest.mark.parametrize("kind", FAULT_KINDS.values(), ids=FAULT_KINDS)
def test_each_kind_of_fault_begins_a_sentence(kind: object) -> None:
    """Its words have one place for the node, and a capital."""
    doing = FAULT_KINDS[kind.name].doing  # type: ignore[attr-defined]
    assert doing.count("{}") == 1 and doing[0].isupper()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("leader:0", "the leader of partition 0"),
        ("leader:busiest", "the leader of the busiest partition"),
        (
            "leader:1+controller-coordinator",
            "the leader of partition 1 (also active controller, not group coordinator)",
        ),
        ("follower:2", "a follower of partition 2"),
        ("followers:0", "the followers of partition 0"),
        ("owner:1", "the owner of partition 1"),
        ("controller", "the active controller"),
        ("coordinator", "the group coordinator"),
        ("database", "the database"),
        ("broker:3", "broker-3"),
        ("processor:0", "processor-0"),
    ],
)
def test_a_target_has_a_name(target: str, words: str) -> None:
    """Every form of a target reads as words."""
    assert named(target) == words


def test_several_faults_stand_in_their_order_with_their_victims() -> None:
    """Each with the nodes that it hit and for how long; the shortest and the longest where they differ."""
    made = scenario(
        faults=[
            {"kind": "pause", "target": "followers:0", "hold_s": 8},
            {"kind": "kill", "target": "leader:0", "hold_s": 9},
        ]
    )
    seen = [hit(0, "broker-1", 8.04), hit(0, "broker-2", 8.52), hit(1, "broker-3", 9.0)]
    assert done(made, seen) == (
        "Freezing the followers of partition 0 (broker-1, broker-2, for 8.0–8.5 s), then killing the leader of "
        "partition 0 (broker-3, for 9.0 s)"
    )


def test_a_cut_says_from_whom() -> None:
    """A network partition names its sides, and nobody where nobody was seen to be hit."""
    made = scenario(faults=[{"kind": "partition", "target": "leader:0", "hold_s": 8, "direction": "in"}])
    assert done(made, []) == "Cutting the leader of partition 0 off from brokers, inbound only"


def test_without_a_fault_nothing_was_done() -> None:
    """The sentence begins so."""
    assert done(scenario(), []) == "Without a fault"
