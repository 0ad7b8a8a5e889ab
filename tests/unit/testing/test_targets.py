"""Targets as a test writes them."""

from __future__ import annotations

import pytest

from factorylab.core.errors import UsageError
from factorylab.scenarios.model import Fault
from factorylab.testing.targets import Aim, aim_at


@pytest.mark.parametrize(
    ("target", "aim"),
    [
        ("leader:orders/0", Aim("leader:0", topic="orders", partition=0)),
        ("follower:a.b_c-d/12", Aim("follower:12", topic="a.b_c-d", partition=12)),
        ("followers:orders/1", Aim("followers:1", topic="orders", partition=1)),
        ("coordinator:group/of: three", Aim("coordinator", group="group/of: three")),
        ("controller", Aim("controller")),
        ("broker:2", Aim("broker:2")),
        ("database", Aim("database")),
    ],
)
def test_a_target_names_its_topic_or_group(target: str, aim: Aim) -> None:
    """What scenarios say without a topic a test says with it, and a fault takes the rest."""
    assert aim_at(target) == aim
    assert Fault(kind="kill", target=aim.target).hits in {"broker", "database"}


@pytest.mark.parametrize(
    "target",
    ["", "leader", "leader:orders", "leader:0", "leader:orders/x", "leader:or ders/0", "coordinator", "coordinator:",
     "broker:two", "owner:orders/0", "processor:0", "database:1", "leader:orders/0 "],
)  # fmt: skip
def test_what_is_no_target_is_refused_with_those_that_are(target: str) -> None:
    """The error has the word that was given, and every form."""
    with pytest.raises(UsageError) as error:
        aim_at(target)
    assert repr(target) in str(error.value) and "leader:TOPIC/PARTITION" in str(error.value)
