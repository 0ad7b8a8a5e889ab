"""What the page may ask to be broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.cli.fault_commands import app
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.operations.live.by_hand import KINDS, ByHand, FaultOrder, possible


def test_an_order_is_the_command_that_a_person_would_type() -> None:
    """The page knows every component of `factorylab fault` and no other."""
    assert FaultOrder("broker", "kill", "leader:0", 20).words() == [
        "fault", "broker", "kill", "--target", "leader:0", "--hold", "20",
    ]  # fmt: skip
    assert FaultOrder("database", "pause", "anything", 1.5).words() == ["fault", "database", "pause", "--hold", "1.5"]
    assert {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    } == set(KINDS)


@pytest.mark.parametrize(
    ("component", "kind", "target", "hold_s", "told"),
    [
        ("broker", "burn", "leader:0", 5, "kind 'burn': a broker can have"),
        ("broker", "kill", "--debug", 5, "target '--debug': a role"),
        ("broker", "kill", "leader:0; rm", 5, "target 'leader:0; rm'"),
        ("broker", "kill", "leader:0", float("nan"), "hold_s nan: from 0.1 to 600 seconds"),
        ("broker", "kill", "leader:0", 601, "hold_s 601"),
    ],
)
def test_a_wrong_order_is_refused_with_the_value(
    component: str, kind: str, target: str, hold_s: float, told: str
) -> None:
    """Nothing but a known kind, a role and a bounded time reaches the command line."""
    with pytest.raises(UsageError, match=told):
        FaultOrder(component, kind, target, hold_s).words()  # type: ignore[arg-type]


def test_without_a_lab_nothing_can_be_broken_or_healed(tmp_path: Path) -> None:
    """Both say that no lab is there."""
    with pytest.raises(EnvironmentUnfit):
        possible(tmp_path)
    with pytest.raises(EnvironmentUnfit, match="no lab is up"):
        ByHand(tmp_path).heal()
